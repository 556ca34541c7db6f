"""Answers as providers stream them, and the official SDKs that read them through the router.

A reader gives the text that its SDK took for a whole answer, less if there was no finish to it, and raises where the
SDK does.
"""

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Self

import anthropic
import openai

from plano_agents.protocol import sse
from plano_agents.testing import UpstreamExchange

TEXT = "The quick brown fox jumps over the lazy dog."
_WORDS = [f"{word} " for word in TEXT.split()[:-1]] + TEXT.split()[-1:]


def _encode_chat(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-2024",
        "choices": [choice],
    }
    return sse.encode_event(json.dumps(chunk).encode())


def _encode_message(kind: str, **fields: object) -> bytes:
    return sse.encode_event(json.dumps({"type": kind, **fields}).encode(), kind)


CHAT_STREAM = b"".join(
    [
        *(_encode_chat({"content": word}) for word in _WORDS[:-1]),
        _encode_chat({"content": _WORDS[-1]}, "stop"),
        sse.DONE,
    ]
)
"""`TEXT`, as OpenAI's kind streams it; the last word and the finish are one event, as some servers have it."""

_MESSAGE: Mapping[str, object] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}

MESSAGES_STREAM = b"".join(
    [
        _encode_message("message_start", message=_MESSAGE),
        _encode_message("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *(
            _encode_message("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
            for word in _WORDS
        ),
        _encode_message("content_block_stop", index=0),
        _encode_message(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": 9},
        ),
        _encode_message("message_stop"),
    ]
)
"""`TEXT`, as Anthropic streams it."""


def stream_for(exchange: UpstreamExchange) -> bytes:
    """The stream that answers a request, by the path it was posted to."""
    return MESSAGES_STREAM if exchange.wire == "messages" else CHAT_STREAM


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"

FRAMINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "chunked": lambda stream: (
        _HEAD + b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(stream), stream)
    ),
    "unframed": lambda stream: _HEAD + b"\r\n" + stream,
}
"""A whole HTTP answer of a stream: in chunks, or ended by the connection's end alone."""


def answer_framed(framing: str) -> Callable[[UpstreamExchange], Awaitable[None]]:
    """Answer with a stream, framed so, and end the connection."""

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.send(FRAMINGS[framing](stream_for(exchange)))
        exchange.close()

    return answer


class Sdks:
    """The official clients of one router, none of which tries again on its own.

    Args:
        url: The router's address.
    """

    def __init__(self, url: str) -> None:
        self.openai = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
        self.anthropic = anthropic.AsyncAnthropic(base_url=url, api_key="any", max_retries=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.openai.close()
        await self.anthropic.close()

    async def read_chat(self, model: str) -> str:
        """Stream a chat completion."""
        text, finish = "", None
        async with await self.openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}], stream=True, extra_headers=_name_session(model)
        ) as chunks:
            async for chunk in chunks:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
        return text if finish == "stop" else ""

    async def read_messages(self, model: str) -> str:
        """Stream a message."""
        text, last = "", ""
        async with await self.anthropic.messages.create(
            model=model,
            max_tokens=99,
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            extra_headers=_name_session(model),
        ) as events:
            async for event in events:
                last = event.type
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    text += event.delta.text
        return text if last == "message_stop" else ""

    async def read_responses(self, model: str) -> str:
        """Stream a response."""
        text, last = "", ""
        async with await self.openai.responses.create(
            model=model, input="hi", stream=True, extra_headers=_name_session(model)
        ) as events:
            async for event in events:
                last = event.type
                if event.type == "response.output_text.delta":
                    text += event.delta
        return text if last == "response.completed" else ""


def _name_session(model: str) -> Mapping[str, str]:
    """Make all requests for a model turns of one session."""
    return {"X-Model-Affinity": f"session-of-{model}"}


READERS: Mapping[str, Callable[[Sdks, str], Coroutine[None, None, str]]] = {
    "chat": Sdks.read_chat,
    "messages": Sdks.read_messages,
    "responses": Sdks.read_responses,
}
"""Every surface, and how its SDK reads it."""

SDK_ERRORS = (openai.OpenAIError, anthropic.AnthropicError)
"""What the SDKs raise where an answer is none."""
