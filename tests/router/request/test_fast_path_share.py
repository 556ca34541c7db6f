"""The share of real clients' turns that the fast path finishes by itself: at least 95 of 100.

What SDKs send is taken from the SDKs themselves, what agents send from their recordings, what is written in JavaScript
from the heads that OpenAI's and Anthropic's SDKs wrote (6.49.0 and 1.14.0 on Node 20). Every session is pinned before.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from langchain_core.messages import HumanMessage

from plano_agents.config.model import Config
from plano_agents.http.server.template import Template, build_template
from plano_agents.integrations.langchain import ChatPlano
from tests.harnesses.recorded import RecordedRequest, read_recorded
from tests.http.server.scripted_connection import ClockLoop
from tests.router.conftest import build_model
from tests.router.request.scripted_exchanges import CHAT, MESSAGES, RESPONSES, Wire, build_good, build_request
from tests.router.request.scripted_router import Reply, Say, ScriptedRouter, Step, run_script
from tests.router.request.test_fast_path_and_story import check_same

LEAST_SHARE = 0.95
GPT, CLAUDE = "openai/gpt-5.1", "anthropic/claude-sonnet-4-6"
WIRES: Mapping[str, Wire] = {"/v1/chat/completions": CHAT, "/v1/messages": MESSAGES, "/v1/responses": RESPONSES}
SIZES = (100, 1_000, 20_000, 200_000, 1_000_000)
"""How long what is asked is, in characters."""
READ_BYTES = 65_536
"""How much of a body a read of the server's holds."""

CHANGING = (
    "traceparent: 00-0af7651916cd43dd8448eb211c8031{n}-b7ad6b7169203331-01",
    "tracestate: vendor={n}, other=opaque",
    "baggage: sentry-trace_id={n}, sentry-release=app@1.0," + "k=v," * 200 + "user={n}",
    "sentry-trace: 0af7651916cd43dd8448eb211c80319c-b7ad6b71692033{n}-1",
    "X-B3-TraceId: 0af7651916cd43dd8448eb211c8031{n}",
    "X-B3-SpanId: b7ad6b71692033{n}",
    "b3: 0af7651916cd43dd-b7ad6b71692033{n}-1",
    "x-datadog-trace-id: 81{n}",
    "x-datadog-parent-id: 9{n}",
    "x-datadog-tags: _dd.p.dm=-{n},_dd.p.tid={n}",
    "X-Cloud-Trace-Context: 0af7651916cd43dd8448eb211c8031{n}/1;o=1",
    "X-Amzn-Trace-Id: Root=1-{n}; Parent={n}; Sampled=1",
    "X-Request-Id: {n}",
    "X-Correlation-Id: {n}",
    "x-client-request-id: {n}",
    "X-Forwarded-For: 10.0.0.{n}, 10.0.0.1",
    "Idempotency-Key: stainless-python-retry-{n}",
)
"""Lines of a head that differ from request to request."""

Requests = list[bytes]
Ask = Callable[[Any, str, bool], Awaitable[object]]


async def ask_chat(client: Any, text: str, streams: bool) -> object:  # noqa: ANN401, FBT001 - each has it
    sdk = openai.AsyncOpenAI(base_url="http://router/v1", api_key="any", http_client=client, max_retries=0)
    return await sdk.chat.completions.create(
        model=GPT,
        messages=[{"role": "user", "content": text}],
        stream=streams,
        extra_headers={"X-Model-Affinity": "run-1"},
    )


async def ask_responses(client: Any, text: str, streams: bool) -> object:  # noqa: ANN401, FBT001 - each has it
    sdk = openai.AsyncOpenAI(base_url="http://router/v1", api_key="any", http_client=client, max_retries=0)
    return await sdk.responses.create(
        model=GPT, input=text, store=False, stream=streams, extra_headers={"X-Model-Affinity": "run-1"}
    )


async def ask_messages(client: Any, text: str, streams: bool) -> object:  # noqa: ANN401, FBT001 - each has it
    sdk = anthropic.AsyncAnthropic(base_url="http://router", api_key="any", http_client=client, max_retries=0)
    return await sdk.messages.create(
        model=CLAUDE,
        max_tokens=99,
        messages=[{"role": "user", "content": text}],
        stream=streams,
        extra_headers={"X-Model-Affinity": "run-1"},
    )


async def ask_plano(client: Any, text: str, streams: bool) -> object:  # noqa: ANN401, FBT001 - each has it
    model = ChatPlano(
        base_url="http://router/v1",
        model=GPT,
        http_async_client=client,
        max_retries=0,
        streaming=streams,
        default_headers={"X-Model-Affinity": "run-1"},
    )
    return await model.ainvoke([HumanMessage(text)])


async def take_down(ask: Ask, http: Any) -> Requests:  # noqa: ANN401 - httpx, or what has taken its place
    requests: Requests = []

    async def answer(request: Any) -> object:  # noqa: ANN401 - the same
        lines = [f"{name.decode()}: {value.decode()}" for name, value in request.headers.raw]
        head = "\r\n".join([f"POST {request.url.raw_path.decode()} HTTP/1.1", *lines, "", ""])
        requests.append(head.encode() + await request.aread())
        return http.Response(400, json={"error": {"message": "only seen"}})

    async with http.AsyncClient(transport=http.MockTransport(answer)) as client:
        for size in SIZES:
            for streams in (False, True):
                with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
                    await ask(client, "All work and no play. " * (size // 22), streams)
    return requests


_NODE = (
    "x-stainless-lang: js",
    "x-stainless-os: Linux",
    "x-stainless-arch: x64",
    "x-stainless-runtime: node",
    "x-stainless-runtime-version: v20.20.2",
    "authorization: Bearer sk-client",
    "content-type: application/json",
    "x-model-affinity: run-1",
    "accept-language: *",
    "sec-fetch-mode: cors",
    "accept-encoding: gzip, deflate",
)
JAVASCRIPT: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "OpenAI/JS, chat": (
        "/v1/chat/completions",
        ("connection: keep-alive", "accept: application/json", "user-agent: OpenAI/JS 6.49.0", *_NODE),
    ),
    "OpenAI/JS, responses": (
        "/v1/responses",
        ("connection: keep-alive", "accept: application/json", "user-agent: OpenAI/JS 6.49.0", *_NODE),
    ),
    "Anthropic/JS": (
        "/v1/messages",
        (
            "connection: keep-alive",
            "Accept: application/json",
            "User-Agent: Anthropic/JS 1.14.0",
            "X-Stainless-Timeout: 600",
            "anthropic-version: 2026-10-21",
            *_NODE,
        ),
    ),
}


def write_javascript(path: str, lines: tuple[str, ...]) -> Iterator[bytes]:
    wire = WIRES[path]
    model = CLAUDE if wire is MESSAGES else GPT
    for number, size in enumerate(SIZES):
        for streams in (False, True):
            text = "All work and no play. " * (size // 22)
            said = {"input": text} if wire is RESPONSES else {"messages": [{"role": "user", "content": text}]}
            fields = {"max_tokens": 99} if wire is MESSAGES else {}
            body = json.dumps({"model": model, **said, **fields, **({"stream": True} if streams else {})}).encode()
            yield write(path, (*lines, f"x-stainless-retry-count: {number % 2}"), body)


def write_recorded(recorded: RecordedRequest, model: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in recorded.headers.items()]
    lines += ["content-type: application/json", "authorization: Bearer sk-client"]  # which recordings leave out
    return write(recorded.path, tuple(lines), json.dumps({**recorded.body, "model": model}).encode())


def write(path: str, lines: tuple[str, ...], body: bytes) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "host: 127.0.0.1:12000", *lines, f"content-length: {len(body)}"])
    return f"{head}\r\n\r\n".encode() + body


def script(request: bytes) -> list[Step]:
    """A request in reads, and the answer that it asks for."""
    head, _, body = request.partition(b"\r\n\r\n")
    path = head.split(b" ")[1].partition(b"?")[0].decode()
    reads = [request[start : start + READ_BYTES] for start in range(0, len(request), READ_BYTES)]
    answer = build_good(WIRES[path], streams=json.loads(body).get("stream", False))
    return [*map(Say, reads), Reply(answer)]


def count(requests: Requests) -> Mapping[str, int]:
    """Count what becomes of requests whose sessions are pinned: each was sent once before."""

    async def run() -> Mapping[str, int]:
        config = Config(models=(build_model(GPT), build_model(CLAUDE)))
        async with ScriptedRouter(config, fast=True) as router:
            for request in requests:
                await router.play(script(request))
            before = dict(router.fast_turns)
            for request in requests:
                await router.play(script(request))
            assert {trail.status for trail in router.trails} == {200}
            return {point: number - before[point] for point, number in router.fast_turns.items()}

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(run())


@pytest.mark.parametrize(
    ("ask", "http"), [(ask_chat, httpx), (ask_responses, httpx), (ask_messages, httpx2), (ask_plano, httpx)]
)
async def test_the_turns_of_pythons_clients_are_finished_there(ask: Ask, http: ModuleType) -> None:
    requests = await take_down(ask, http)
    counts = await asyncio.to_thread(count, requests)
    assert counts["finished"] >= LEAST_SHARE * len(requests), counts


@pytest.mark.parametrize("client", JAVASCRIPT)
def test_the_turns_of_javascripts_clients_are_finished_there(client: str) -> None:
    requests = [*write_javascript(*JAVASCRIPT[client])]
    counts = count(requests)
    assert counts["finished"] >= LEAST_SHARE * len(requests), counts


@pytest.mark.parametrize("wire", [CHAT, MESSAGES], ids=["chat", "messages"])
def test_headers_that_change_with_each_request_do_not_make_another_head(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway's, a mesh's and a tracer's, as they are sent: those of each request differ in all of them."""
    built: list[Template | None] = []

    def build(*arguments: Any) -> Template | None:  # noqa: ANN401 - what it stands in for takes
        built.append(build_template(*arguments))
        return built[-1]

    monkeypatch.setattr("plano_agents.http.server.connection.build_template", build)
    requests = [build_request(wire, lines=[line.format(n=number) for line in CHANGING]) for number in range(10, 20)]
    config = Config(models=(build_model("openai/gpt-4o"), build_model(CLAUDE)))
    script = [step for request in requests for step in (Say(request), Reply(build_good(wire, streams=False)))]
    fast, slow = (run_script(lambda way=way: ScriptedRouter(config, fast=way), script) for way in (True, False))  # type: ignore[misc]  # bound now
    check_same(fast, slow)
    assert len(built) == 1


@pytest.mark.parametrize(
    ("name", "model"),
    [("claude-code", CLAUDE), ("claude-code-aside", CLAUDE), ("codex", GPT)],
)
def test_the_turns_of_coding_agents_are_finished_there(name: str, model: str) -> None:
    requests = [write_recorded(each, model) for each in read_recorded(name) if each.path.partition("?")[0] in WIRES]
    counts = count(requests)
    assert counts["finished"] >= LEAST_SHARE * len(requests), counts
