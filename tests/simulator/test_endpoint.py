"""Behaviour that both wires share, over real sockets: models, keys, caching, pacing, faults, the log."""

import asyncio
import json
from collections.abc import Callable
from typing import Protocol

import httpx
import pytest
from fastapi import FastAPI
from pydantic import JsonValue

from plano_agents.secret_str import SecretStr
from plano_agents.simulator.app import create_app
from plano_agents.simulator.faults import Fault
from plano_agents.simulator.settings import SimulatorSettings
from plano_agents.simulator.tokens import count_tokens
from tests.patience import PATIENCE_SECONDS

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
VERSION = {"anthropic-version": "2023-06-01"}
LONG = "The order and its payment are written in one transaction. " * 120

Serve = Callable[[FastAPI], str]


class Clock(Protocol):
    now: float

    def __call__(self) -> float: ...


def body(model: str = "m", content: str = "hello", *, stream: bool = False) -> dict[str, JsonValue]:
    return {
        "model": model,
        "max_tokens": 500,
        "messages": [{"role": "user", "content": content}],
        "stream": stream,
    }


@pytest.mark.parametrize(
    "path",
    [CHAT, "/v1beta/openai/chat/completions", "/openai/v1/chat/completions", "/chat/completions"],
)
def test_chat_is_served_under_every_prefix(url: str, path: str) -> None:
    assert httpx.post(url + path, json=body()).json()["object"] == "chat.completion"


def test_messages_are_served_under_every_prefix(url: str) -> None:
    answer = httpx.post(url + "/anthropic/v1/messages", json=body(), headers=VERSION)
    assert answer.json()["type"] == "message"


def test_both_wires_say_the_same(url: str) -> None:
    chat = httpx.post(url + CHAT, json=body(content="why do cats purr")).json()
    message = httpx.post(url + MESSAGES, json=body(content="why do cats purr"), headers=VERSION).json()
    assert chat["choices"][0]["message"]["content"] == message["content"][0]["text"]
    assert chat["id"].removeprefix("chatcmpl-") == message["id"].removeprefix("msg_")


def test_an_unknown_model_is_refused_on_the_openai_wire(serve: Serve) -> None:
    answer = httpx.post(serve(create_app(SimulatorSettings(models=("m",)))) + CHAT, json=body("x"))
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "message": "The model `x` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


def test_an_unknown_model_is_refused_on_the_anthropic_wire(serve: Serve) -> None:
    url = serve(create_app(SimulatorSettings(models=("m",))))
    answer = httpx.post(url + MESSAGES, json=body("x"), headers=VERSION)
    assert answer.status_code == 404
    assert answer.json() == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: x"},
        "request_id": answer.headers["request-id"],
    }


def test_messages_without_a_version_are_refused(url: str) -> None:
    answer = httpx.post(url + MESSAGES, json=body())
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "anthropic-version: header is required"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (CHAT, {}, 401),
        (CHAT, {"authorization": "Bearer wrong"}, 401),
        (CHAT, {"authorization": "Bearer right"}, 200),
        (MESSAGES, VERSION, 401),
        (MESSAGES, VERSION | {"x-api-key": "wrong"}, 401),
        (MESSAGES, VERSION | {"x-api-key": "right"}, 200),
    ],
)
def test_a_required_key_is_asked_for(serve: Serve, path: str, headers: dict[str, str], status: int) -> None:
    url = serve(create_app(SimulatorSettings(require_key=SecretStr("right"))))
    answer = httpx.post(url + path, json=body(), headers=headers)
    assert answer.status_code == status
    assert "wrong" not in answer.text


def test_the_second_turn_reads_its_prefix_from_the_cache(serve: Serve, clock: Clock) -> None:
    url = serve(create_app(clock=clock))
    usages = [httpx.post(url + CHAT, json=body(content=LONG)).json()["usage"] for _ in range(2)]
    assert [usage["prompt_tokens_details"]["cached_tokens"] for usage in usages] == [0, 1408]


def test_a_prefix_is_not_cached_for_another_model_or_after_five_minutes(serve: Serve, clock: Clock) -> None:
    url = serve(create_app(clock=clock))

    def read_cached(model: str) -> object:
        usage = httpx.post(url + CHAT, json=body(model, LONG)).json()["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"]

    cached = [read_cached("m"), read_cached("n")]
    clock.now += 301
    assert [*cached, read_cached("m")] == [0, 0, 0]


def test_sessions_keys_keep_their_caches_apart_by_field_and_by_header(serve: Serve, clock: Clock) -> None:
    url = serve(create_app(clock=clock))

    def read_cached(header: str | None, **fields: str) -> bool:
        headers = {header: "c"} if header is not None else {}
        usage = httpx.post(url + CHAT, json=body(content=LONG) | fields, headers=headers).json()["usage"]
        return bool(usage["prompt_tokens_details"]["cached_tokens"])

    assert [read_cached(None), read_cached(None, prompt_cache_key="k"), read_cached("x-grok-conv-id")] == [False] * 3
    assert [read_cached(None), read_cached(None, prompt_cache_key="k"), read_cached("x-session-id")] == [True] * 3


def test_a_key_keeps_caches_apart_on_responses_too(serve: Serve, clock: Clock) -> None:
    url = serve(create_app(clock=clock))

    def read_cached(**fields: str) -> bool:
        answer = httpx.post(f"{url}/v1/responses", json={"model": "gpt-4o", "input": LONG, **fields})
        return bool(answer.json()["usage"]["input_tokens_details"]["cached_tokens"])

    assert [read_cached(), read_cached(prompt_cache_key="k"), read_cached(prompt_cache_key="k")] == [False, False, True]


MARKED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]


@pytest.mark.parametrize(
    "marked",
    [
        {"messages": [{"role": "user", "content": MARKED}]},
        {"messages": [{"role": "user", "content": LONG}], "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"messages": [{"role": "user", "content": "hi"}], "system": MARKED},
        {
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [
                {
                    "name": "t",
                    "description": LONG,
                    "input_schema": {"type": "object"},
                    "cache_control": {"type": "ephemeral"},
                }
            ],
        },
    ],
)
def test_what_is_marked_is_written_once_and_read_then(url: str, marked: dict[str, JsonValue]) -> None:
    first, second = (
        httpx.post(url + MESSAGES, json=body("claude-sonnet-4-6") | marked, headers=VERSION).json()["usage"]
        for _ in range(2)
    )
    assert first["cache_creation_input_tokens"] == second["cache_read_input_tokens"] > 1024
    assert first["cache_read_input_tokens"] == second["cache_creation_input_tokens"] == 0
    assert first["input_tokens"] == second["input_tokens"] < 20


def test_without_a_mark_claude_caches_nothing(url: str) -> None:
    for _ in range(2):
        answer = httpx.post(url + MESSAGES, json=body("claude-sonnet-4-6", LONG), headers=VERSION)
        usage = answer.json()["usage"]
        assert (usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]) == (0, 0)
        assert usage["input_tokens"] > 1024


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_keeps_the_pace_that_is_set(serve: Serve, clock: Clock, stream: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async def pass_time(seconds: float) -> None:
        clock.now += seconds

    settings = SimulatorSettings(time_to_first_token_ms=200, tokens_per_second=10)
    url = serve(create_app(settings, clock=clock, sleep=pass_time))
    answer = httpx.post(url + CHAT, json=body(stream=stream))
    assert answer.status_code == 200
    assert clock.now - 1000 == pytest.approx(0.2 + count_tokens("Hello! What can I help you with?") / 10)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (CHAT, 429, "requests"),
        (CHAT, 503, "server_error"),
        (MESSAGES, 429, "rate_limit_error"),
        (MESSAGES, 529, "overloaded_error"),
    ],
)
def test_a_status_fault_has_the_providers_body(url: str, path: str, status: int, kind: str) -> None:
    headers = VERSION | {"X-Simulate-Fault": f"status={status};retry-after=2"}
    answer = httpx.post(url + path, json=body(), headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "2")
    assert answer.json()["error"]["type"] == kind


def test_an_unknown_fault_is_refused(url: str) -> None:
    answer = httpx.post(url + CHAT, json=body(), headers={"X-Simulate-Fault": "explode"})
    assert answer.status_code == 400
    assert "Unknown fault 'explode'" in answer.json()["error"]["message"]


def drain(url: str, fault: str, received: list[bytes], *, stream: bool, timeout: float = PATIENCE_SECONDS) -> None:
    headers = {"X-Simulate-Fault": fault}
    with httpx.stream("POST", url + CHAT, json=body(stream=stream), headers=headers, timeout=timeout) as answer:
        received.extend(answer.iter_raw())


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_can_be_cut_off(url: str, stream: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with pytest.raises(httpx.RemoteProtocolError):
        drain(url, "cut-after=20", [], stream=stream)


def test_an_answer_shorter_than_the_cut_stays_whole(url: str) -> None:
    answer = httpx.post(url + CHAT, json=body(), headers={"X-Simulate-Fault": "cut-after=99999"})
    assert answer.json()["object"] == "chat.completion"


def test_an_answer_can_stall_in_its_body(url: str) -> None:
    received: list[bytes] = []
    with pytest.raises(httpx.ReadTimeout):
        drain(url, "stall-after=20", received, stream=True, timeout=1)
    assert len(b"".join(received)) == 20


def test_a_hanging_model_never_answers(url: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + CHAT, json=body(), headers={"X-Simulate-Fault": "hang"}, timeout=0.2)


def test_a_delay_is_waited(serve: Serve, clock: Clock) -> None:
    async def pass_time(seconds: float) -> None:
        clock.now += seconds

    url = serve(create_app(clock=clock, sleep=pass_time))
    httpx.post(url + CHAT, json=body(), headers={"X-Simulate-Fault": "delay-ms=500"})
    assert clock.now == 1000.5


def test_a_model_can_be_given_a_fault(serve: Serve) -> None:
    url = serve(create_app(SimulatorSettings(faults={"bad": Fault(status=500)})))
    assert [httpx.post(url + CHAT, json=body(model)).status_code for model in ("good", "bad")] == [200, 500]


async def test_hundreds_of_requests_at_once_each_get_their_own_answer(url: str) -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=100), timeout=PATIENCE_SECONDS) as client:
        answers = await asyncio.gather(
            *(client.post(url + CHAT, json=body(content=f"note number {at}")) for at in range(200))
        )
    texts = [json.loads(answer.content)["choices"][0]["message"]["content"] for answer in answers]
    assert all(f"“note number {at}”" in text for at, text in enumerate(texts))
