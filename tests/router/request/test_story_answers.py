"""The request to the provider, and the way of its answer back."""

import gzip
import json
import logging
import zlib
from collections.abc import Callable

import pytest
from openai.types.chat import ChatCompletion

from plano_agents.config.model import Preference, Retries
from plano_agents.errors import PlanoError, UpstreamTimeoutError, UpstreamUnreachableError
from plano_agents.router.request.surfaces import MESSAGES, Endpoint
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    COMPLETION,
    GPT,
    JSON,
    KEY,
    MESSAGE,
    PROMPT,
    SSE,
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
)

ID = ("x-model-affinity", "run-1")
FORWARDED = {
    "idempotency-key": "i",
    "openai-beta": "o",
    "traceparent": "t",
    "x-request-id": "r",
}
PASSED_BACK = {
    "request-id": "req_1",
    "x-request-id": "req_2",
    "retry-after": "3",
    "retry-after-ms": "30",
    "x-ratelimit-remaining-requests": "7",
    "anthropic-ratelimit-tokens-limit": "8",
}
MESSAGES_BODY = b'{"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}'
OVERLOADED = b'{"error": {"message": "slow  down", "type": "rate_limit"}}'


def decode_chunks(body: bytes) -> list[dict[str, object]]:
    """The chunks of an OpenAI stream, without its end."""
    return [json.loads(line[6:]) for line in body.split(b"\n\n") if line and line != b"data: [DONE]"]


async def test_a_body_goes_up_untouched_but_for_its_model() -> None:
    upstream = MemoryUpstream()
    body = b'{"messages":[{"role":"user","content":"\xc3\xa9  \\u00e9"}] ,"x_new":  1.50, "model":"openai/gpt-4o"}'
    await ask(build_service(build_config(), upstream), body)
    sent = upstream.requests[0].body
    assert json.loads(sent) == {**json.loads(body), "model": "gpt-4o"}
    assert b'"content":"\xc3\xa9  \\u00e9"' in sent
    assert b"1.50" in sent


async def test_an_answer_comes_back_byte_for_byte() -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream()))
    assert seen.body == COMPLETION
    assert seen.headers["content-type"] == "application/json"


async def test_only_the_listed_headers_of_the_client_go_up() -> None:
    upstream = MemoryUpstream()
    others = {"authorization": "Bearer client", "cookie": "c", "x-api-key": "client", "x-other": "o"}
    others |= {"anthropic-beta": "b", "openai-organization": "org", "openai-project": "p"}
    await ask(build_service(build_config(), upstream), chat(), ID, *(FORWARDED | others).items())
    assert upstream.requests[0].headers == {
        **FORWARDED,
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept-encoding": "identity",
    }


async def test_the_clients_authorization_goes_up_where_passthrough_auth_says_so() -> None:
    upstream = MemoryUpstream()
    config = build_config(models=(build_model(GPT, passthrough_auth=True),))
    await ask(build_service(config, upstream), chat(), ("authorization", "Bearer client"))
    assert upstream.requests[0].headers["authorization"] == "Bearer client"


async def test_only_the_listed_headers_of_the_provider_come_back() -> None:
    others = {"Set-Cookie": "c", "Server": "s", "X-Plano-Model": "forged", "X-Model-Affinity": "forged"}
    response = MemoryResponse(headers={**JSON, **PASSED_BACK, **others})
    seen = await ask(build_service(build_config(), MemoryUpstream(response)))
    ours = {"x-plano-model", "x-plano-affinity", "x-plano-trace-id", "server-timing", "content-type"}
    assert seen.headers.keys() == PASSED_BACK.keys() | ours
    assert seen.headers["x-plano-model"] == GPT


@pytest.mark.parametrize("value", ["caf\xe9", "caf\udce9", "\u4e2d", "a\x00b", "a\x1bb"])
async def test_a_providers_header_that_cannot_be_sent_on_is_left_out(value: str) -> None:
    response = MemoryResponse(headers={**JSON, "x-request-id": value})
    seen = await ask(build_service(build_config(), MemoryUpstream(response)))
    assert "x-request-id" not in seen.headers


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_what_a_provider_compressed_unasked_is_decompressed(
    encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    response = MemoryResponse(headers={**JSON, "content-encoding": encoding}, pieces=(compress(COMPLETION),))
    seen = await ask(build_service(build_config(), MemoryUpstream(response)))
    assert (seen.body, "content-encoding" in seen.headers) == (COMPLETION, False)


async def test_a_stream_that_a_provider_compressed_unasked_comes_whole() -> None:
    headers = {**SSE, "content-encoding": "gzip"}
    response = MemoryResponse(headers=headers, pieces=(gzip.compress(b"".join(CHUNKS)),))
    seen = await ask(build_service(build_config(), MemoryUpstream(response)), chat(stream=True))
    assert (seen.body, seen.headers["content-type"]) == (b"".join(CHUNKS), "text/event-stream; charset=utf-8")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip", b"\x1f\x8b"), ("gzip", gzip.compress(COMPLETION)[:-9])],
    ids=["another", "broken", "cut"],
)
async def test_what_cannot_be_decompressed_is_a_failure(encoding: str, body: bytes) -> None:
    response = MemoryResponse(headers={**JSON, "content-encoding": encoding}, pieces=(body,))
    seen = await ask(build_service(build_config(retries=Retries(max_per_candidate=0)), MemoryUpstream(response)))
    assert (seen.status, seen.error["code"]) == (502, "upstream_protocol_error")


async def test_a_stream_is_made_of_json_and_json_of_a_stream() -> None:
    said = b'{"id":"c","choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}'
    made = await ask(build_service(build_config(), MemoryUpstream(MemoryResponse(pieces=(said,)))), chat(stream=True))
    assert made.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert b'"content":"hello"' in made.body
    assert made.body.endswith(b"data: [DONE]\n\n")
    events = MemoryResponse(headers=SSE, pieces=(made.body,))
    joined = await ask(build_service(build_config(), MemoryUpstream(events)))
    assert joined.headers["content-type"] == "application/json"
    assert json.loads(joined.body)["choices"][0]["message"]["content"] == "hello"


async def test_a_providers_error_keeps_status_and_body() -> None:
    response = MemoryResponse(429, {**JSON, "retry-after": "3"}, (OVERLOADED,))
    seen = await ask(build_service(build_config(), MemoryUpstream(response)), chat(stream=True), ID)
    assert (seen.status, seen.body, seen.headers["retry-after"]) == (429, OVERLOADED, "3")
    assert seen.headers["x-plano-affinity"] == "initialize; reason=first_turn"


async def test_too_long_a_prompt_is_told_in_the_words_that_a_surfaces_clients_act_on() -> None:
    """Though the provider speaks their wire: compatible servers have words of their own."""
    said = b'{"object": "error", "message": "maximum context length is 8192 tokens", "code": 400}'
    response = MemoryResponse(400, {"content-type": "text/plain"}, (said,))
    chat_seen = await ask(build_service(build_config(), MemoryUpstream(response)))
    assert chat_seen.error["code"] == "context_length_exceeded"
    assert chat_seen.headers["content-type"] == "application/json"
    service = build_service(build_config(CLAUDE), MemoryUpstream(response))
    seen = await ask(service, MESSAGES_BODY, endpoint=Endpoint(MESSAGES))
    assert (seen.status, seen.error["type"]) == (400, "invalid_request_error")
    assert seen.error["message"] == "prompt is too long: maximum context length is 8192 tokens"


async def test_an_error_within_a_stream_is_answered_as_json() -> None:
    events = b'event: error\ndata: {"error": {"message": "No", "type": "invalid_request_error"}}\n\n'
    response = MemoryResponse(200, SSE, (events,))
    seen = await ask(build_service(build_config(), MemoryUpstream(response)), chat(stream=True))
    assert (seen.status, seen.headers["content-type"]) == (400, "application/json")
    assert seen.error["message"] == "No"


async def test_when_every_model_fails_the_most_telling_error_is_told_and_the_pin_stays() -> None:
    refusal = b'{"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}'
    upstream = MemoryUpstream(UpstreamUnreachableError("down"), MemoryResponse(401, JSON, (refusal,)), MemoryResponse())
    config = build_config(
        models=(build_model(GPT), build_model(CLAUDE)),
        preferences=(Preference("work", "any work", (GPT, CLAUDE)),),
        retries=Retries(max_per_candidate=0),
    )
    service = build_service(config, upstream, strategy=Choose("work"))
    failed, served = await ask(service, None, ID), await ask(service, None, ID)
    assert (failed.status, failed.error["message"]) == (401, "invalid x-api-key")
    assert (served.status, served.headers["x-plano-affinity"]) == (200, "retain; reason=pinned")


async def test_an_anthropic_error_is_written_in_openais_form() -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    response = MemoryResponse(529, {**JSON, "retry-after": "3"}, (error,))
    seen = await ask(build_service(build_config(CLAUDE), MemoryUpstream(response)))
    assert (seen.status, seen.headers["retry-after"]) == (529, "3")
    assert (seen.error["type"], seen.error["message"]) == ("overloaded_error", "Overloaded")


async def test_a_gateways_page_is_written_in_openais_form() -> None:
    response = MemoryResponse(503, {"content-type": "text/html"}, (b"<html>",))
    seen = await ask(build_service(build_config(CLAUDE), MemoryUpstream(response)))
    assert (seen.status, seen.headers["content-type"]) == (503, "application/json")
    assert "503" in seen.error["message"]


async def test_an_anthropic_answer_is_an_openai_completion() -> None:
    seen = await ask(build_service(build_config(CLAUDE), MemoryUpstream(MemoryResponse(pieces=(MESSAGE,)))))
    completion = ChatCompletion.model_validate_json(seen.body)
    assert completion.choices[0].message.content == "hello"
    assert (completion.model, completion.created) == ("claude-sonnet-4-6", 1_700_000_000)


async def test_an_answer_that_is_no_message_is_a_bad_gateway() -> None:
    seen = await ask(build_service(build_config(CLAUDE), MemoryUpstream(MemoryResponse(pieces=(b"hello",)))))
    assert (seen.status, seen.error["code"]) == (502, "upstream_protocol_error")


async def test_a_field_that_anthropics_wire_cannot_carry_is_refused_by_name() -> None:
    upstream = MemoryUpstream()
    seen = await ask(build_service(build_config(CLAUDE), upstream), chat(n=2))
    assert (seen.status, seen.error["code"], seen.error["param"]) == (400, "unsupported_field", "n")
    assert not upstream.requests


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (UpstreamUnreachableError("no"), 502, "upstream_unreachable"),
        (UpstreamTimeoutError("late"), 504, "upstream_timeout"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda failure: failure, lambda failure: MemoryResponse(pieces=(failure,))])
async def test_a_provider_that_gives_no_answer_has_its_status(
    failure: PlanoError, status: int, code: str, wrap: Callable[[PlanoError], MemoryResponse | PlanoError]
) -> None:
    seen = await ask(build_service(build_config(), MemoryUpstream(wrap(failure))))
    assert (seen.status, seen.error["code"]) == (status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 1}', b"\xff", b'{"model": "gpt-4o"}'])
async def test_a_body_that_is_no_chat_request_is_refused(body: bytes) -> None:
    upstream = MemoryUpstream()
    seen = await ask(build_service(build_config(), upstream), body)
    assert (seen.status, seen.error["type"]) == (400, "invalid_request_error")
    assert not upstream.requests


async def test_the_providers_connection_is_given_back_after_every_answer() -> None:
    responses = [
        MemoryResponse(),
        MemoryResponse(headers=SSE, pieces=CHUNKS),
        MemoryResponse(pieces=(OSError(),)),
    ]
    upstream = MemoryUpstream(*responses)
    service = build_service(build_config(), upstream)
    for _ in responses:
        await ask(service)
    assert all(response.closed for response in responses)


class Broken(Choose):
    """A strategy with a bug, whose message holds the prompt."""

    async def rank(self, conversation, preferences):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - never returns
        raise KeyError(conversation, KEY)


async def ask_broken_router() -> Seen:
    config = build_config(GPT, CLAUDE)
    return await ask(build_service(config, MemoryUpstream(), strategy=Broken()), chat(), ID)


async def test_a_bug_is_answered_with_the_trace_id() -> None:
    seen = await ask_broken_router()
    assert (seen.status, seen.error["code"]) == (500, "internal_error")
    assert seen.headers["x-plano-trace-id"] in seen.error["message"]
    assert seen.headers["x-model-affinity"] == "run-1"


async def test_a_bug_is_one_log_line_that_names_its_place_and_no_prompt_or_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = await ask_broken_router()
    (line,) = caplog.text.splitlines()
    assert seen.headers["x-plano-trace-id"] in line
    assert "KeyError at " in line
    assert __file__ in line
    assert PROMPT not in line
    assert KEY not in line


async def test_what_is_the_clients_or_the_providers_fault_is_no_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    service = build_service(build_config(), MemoryUpstream(UpstreamTimeoutError("late")))
    for body in (chat(), b"{", chat(model="gpt-9")):
        await ask(service, body)
    assert caplog.text == ""
