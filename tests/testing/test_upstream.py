"""The fake upstream, asked by the providers' own SDKs and by raw clients."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import openai
import pytest

from plano_agents.testing import (
    FakeUpstream,
    Reply,
    ToolCall,
    UpstreamExchange,
    break_off,
    call_tool,
    fail,
    give,
    keep_silent,
    reply_with,
    say,
    stream,
)

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
BOTH = Reply("I look.", [ToolCall("look_up", {"city": "Oslo"}, "call_a"), ToolCall("look_up", {}, "call_b")])


def ask_chat(url: str, *, is_stream: bool = False) -> tuple[str, list[tuple[str, str]], int]:
    """Ask with OpenAI's SDK; give the text, the calls as (name, arguments), and the tokens cached."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        if not is_stream:
            whole = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
            assert whole.usage is not None
            assert whole.usage.prompt_tokens_details is not None
            message = whole.choices[0].message
            calls = [
                (call.function.name, call.function.arguments)
                for call in message.tool_calls or ()
                if call.type == "function"
            ]
            return message.content or "", calls, whole.usage.prompt_tokens_details.cached_tokens or 0
        with client.chat.completions.stream(
            model="gpt-4o",
            messages=[{"role": "user", "content": "hi"}],
            stream_options={"include_usage": True},
        ) as events:
            final = events.get_final_completion()
    assert final.usage is not None
    assert final.usage.prompt_tokens_details is not None
    said = final.choices[0].message
    made = [(call.function.name, call.function.arguments) for call in said.tool_calls or ()]
    return said.content or "", made, final.usage.prompt_tokens_details.cached_tokens or 0


def ask_messages(url: str, *, is_stream: bool = False) -> tuple[str, list[tuple[str, str]], int]:
    """Ask with Anthropic's SDK."""
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as client:
        messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "hi"}]
        message: anthropic.types.Message
        if is_stream:
            with client.messages.stream(model="claude", max_tokens=9, messages=messages) as events:
                message = events.get_final_message()
        else:
            message = client.messages.create(model="claude", max_tokens=9, messages=messages)
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [(block.name, json.dumps(block.input)) for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == ("tool_use" if calls else "end_turn")
    return text, calls, message.usage.cache_read_input_tokens or 0


def ask_responses(url: str, *, is_stream: bool = False) -> tuple[str, list[tuple[str, str]], int]:
    """Ask with OpenAI's SDK over the responses API."""
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        if is_stream:
            with client.responses.stream(model="gpt-4o", input="hi") as events:
                response = events.get_final_response()
        else:
            response = client.responses.create(model="gpt-4o", input="hi")  # type: ignore[assignment] # the parsed kind
    calls = [(item.name, item.arguments) for item in response.output if item.type == "function_call"]
    assert response.usage is not None
    return response.output_text, calls, response.usage.input_tokens_details.cached_tokens


ASKING = {"chat": ask_chat, "messages": ask_messages, "responses": ask_responses}


@pytest.mark.parametrize("wire", ASKING)
@pytest.mark.parametrize("is_stream", [False, True])
def test_every_wires_own_sdk_reads_words(wire: str, is_stream: bool) -> None:  # noqa: FBT001
    with FakeUpstream(reply_with(Reply("Hello, you there.", cached_tokens=7))) as upstream:
        assert ASKING[wire](upstream.url, is_stream=is_stream) == ("Hello, you there.", [], 7)
    assert upstream.exchanges[0].wire == wire


@pytest.mark.parametrize("wire", ASKING)
@pytest.mark.parametrize("is_stream", [False, True])
def test_every_wires_own_sdk_reads_words_and_calls(wire: str, is_stream: bool) -> None:  # noqa: FBT001
    with FakeUpstream(reply_with(BOTH)) as upstream:
        text, calls, _ = ASKING[wire](upstream.url, is_stream=is_stream)
    assert (text, calls) == ("I look.", [("look_up", '{"city": "Oslo"}'), ("look_up", "{}")])


@pytest.mark.parametrize("is_stream", [False, True])
def test_openais_sdk_reads_calls_of_a_clients_own_kinds(is_stream: bool) -> None:  # noqa: FBT001
    patch = ToolCall("apply_patch", {"input": "*** Begin Patch"}, id="c1", kind="custom")
    search = ToolCall("tool_search", {"query": "agents"}, id="c2", kind="tool_search")
    spawn = ToolCall("spawn", {}, id="c3", namespace="agents")
    with FakeUpstream(reply_with(Reply(calls=[patch, search, spawn], reasoning="gAAA"))) as upstream:
        client = openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="any", max_retries=0)
        if is_stream:
            with client.responses.stream(model="gpt-5.5", input="hi") as events:
                output: list[Any] = list(events.get_final_response().output)
        else:
            output = list(client.responses.create(model="gpt-5.5", input="hi").output)
    reasoning, first, second, third = output
    assert (reasoning.type, reasoning.encrypted_content) == ("reasoning", "gAAA")
    assert (first.type, first.name, first.input) == ("custom_tool_call", "apply_patch", "*** Begin Patch")
    assert (second.type, second.execution, second.arguments) == ("tool_search_call", "client", {"query": "agents"})
    assert (third.type, third.name, third.namespace) == ("function_call", "spawn", "agents")


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (ask_chat, openai.RateLimitError),
        (ask_messages, anthropic.RateLimitError),
        (ask_responses, openai.RateLimitError),
    ],
)
def test_an_error_has_the_form_of_the_wire(ask: Callable[[str], object], error: type[Exception]) -> None:
    with FakeUpstream(fail(429, "too much", retry_after="2")) as upstream, pytest.raises(error) as caught:
        ask(upstream.url)
    assert "too much" in str(caught.value)
    assert caught.value.response.headers["retry-after"] == "2"  # type: ignore[attr-defined] # the SDKs'


def post(
    url: str, body: bytes = json.dumps(CHAT).encode(), headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Post by plain HTTP to a path."""
    request = urllib.request.Request(url, body, {"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_answers_come_in_order_and_the_last_again_and_again() -> None:
    with FakeUpstream(give(b"1"), give({"two": 2}), give(b"3", status=418)) as upstream:
        answered = [post(upstream.url) for _ in range(4)]
    assert answered == [(200, b"1"), (200, b'{"two": 2}'), (418, b"3"), (418, b"3")]


def test_what_was_asked_is_remembered() -> None:
    with FakeUpstream() as upstream:
        post(f"{upstream.url}/v1/chat/completions?a=b", headers={"X-Model-Affinity": "run-1"})
    (exchange,) = upstream.exchanges
    assert (exchange.method, exchange.path, exchange.wire) == ("POST", "/v1/chat/completions?a=b", "chat")
    assert (exchange.affinity_id, exchange.json) == ("run-1", CHAT)
    assert exchange.headers["content-type"] == "application/json"


def test_a_model_is_named_as_it_was_asked_for_unless_the_reply_names_another() -> None:
    with FakeUpstream(say("a"), reply_with(Reply("a", model="gpt-4o-2024"))) as upstream:
        bodies = [json.loads(post(f"{upstream.url}/v1/chat/completions")[1]) for _ in range(2)]
    assert [body["model"] for body in bodies] == ["gpt-4o", "gpt-4o-2024"]


def test_a_rule_refuses_what_the_provider_would_and_takes_no_answer_away() -> None:
    def refuse_seeds(exchange: UpstreamExchange) -> str | None:
        return "seed: Extra inputs are not permitted" if "seed" in exchange.json else None

    with FakeUpstream(give(b"1"), give(b"2"), rule=refuse_seeds) as upstream:
        url = f"{upstream.url}/v1/chat/completions"
        refused = post(url, json.dumps(CHAT | {"seed": 1}).encode())
        assert (refused[0], json.loads(refused[1])["error"]["message"]) == (
            400,
            "seed: Extra inputs are not permitted",
        )
        assert post(url) == (200, b"1")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/v1/embeddings"])
def test_a_reply_on_no_wire_is_a_404_that_names_the_paths(path: str) -> None:
    with FakeUpstream() as upstream:
        status, body = post(upstream.url + path)
    assert (status, "/chat/completions" in body.decode()) == (404, True)


def test_a_reply_to_what_is_no_json_is_a_400() -> None:
    with FakeUpstream() as upstream:
        assert post(f"{upstream.url}/v1/messages", b"{")[0] == 400


def test_a_call_of_a_tool_is_one_line() -> None:
    with FakeUpstream(call_tool("look_up", city="Oslo")) as upstream:
        assert ask_chat(upstream.url)[1] == [("look_up", '{"city": "Oslo"}')]


async def read_raw(url: str, request: bytes) -> bytes:
    """Send bytes; give everything that comes until the end, which a reset is not."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


ASK = b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"


async def test_a_stream_of_ones_own_goes_out_chunk_by_chunk() -> None:
    async with FakeUpstream(stream(b"one", b"three")) as upstream:
        content = await read_raw(upstream.url, ASK)
    assert content.endswith(b"\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")


async def test_an_answer_breaks_off_after_any_number_of_bytes() -> None:
    async with FakeUpstream(say("Hello.")) as upstream:
        whole = await read_raw(upstream.url, ASK)
    answers = [break_off(say("Hello."), after=after) for after in range(len(whole))]
    async with FakeUpstream(*answers) as upstream:
        assert [await read_raw(upstream.url, ASK) for _ in answers] == [whole[:after] for after in range(len(whole))]


async def test_a_reset_is_read_as_one() -> None:
    async with FakeUpstream(break_off(say("hi"), after=0, ending="reset")) as upstream:
        with pytest.raises(ConnectionResetError):
            await read_raw(upstream.url, ASK)


async def test_a_silent_upstream_answers_nothing() -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        asked.set()
        await keep_silent(exchange)
        left.set()

    async with FakeUpstream(answer) as upstream:
        reading = asyncio.create_task(read_raw(upstream.url, ASK))
        await asked.wait()
        reading.cancel()
        await left.wait()


async def test_a_failure_within_an_answer_is_raised_where_the_context_ends() -> None:
    async def answer(exchange: UpstreamExchange) -> None:
        assert exchange.json == {"what": "was not sent"}

    with pytest.raises(AssertionError, match="was not sent"):
        async with FakeUpstream(answer) as upstream:
            assert await read_raw(upstream.url, ASK) == b""


def test_the_tests_own_failure_comes_first() -> None:
    async def answer(exchange: UpstreamExchange) -> None:
        raise RuntimeError

    def test_something() -> None:
        with FakeUpstream(answer) as upstream:
            with pytest.raises(ConnectionError):
                post(upstream.url)
            raise LookupError

    with pytest.raises(LookupError):
        test_something()


async def test_a_body_in_chunks_is_read() -> None:
    request = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n1\r\n \r\n0\r\na: b\r\n\r\n"

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(exchange.body)
        exchange.close()

    async with FakeUpstream(answer) as upstream:
        assert (await read_raw(upstream.url, request)).endswith(b"\r\n\r\n{} ")


async def test_a_context_ends_although_answers_go_on() -> None:
    asked = asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with FakeUpstream(answer) as upstream:
        reading = asyncio.create_task(read_raw(upstream.url, ASK))
        await asked.wait()
    assert await reading == b""
