"""Exchanges for `scripted_router`: requests as SDKs send them and as nobody should, answers as providers give them and
as broken ones do, cut into pieces, with something going wrong at any step.

`Exchange.qualifies` says whether the request, with its answer, is one that the fast path has to finish itself where the
session is pinned.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from plano_agents.protocol import sse
from tests.faults.wires import CHAT_STREAM, MESSAGES_STREAM
from tests.router.conftest import CLAUDE, COMPLETION, GPT, MESSAGE
from tests.router.request.scripted_router import (
    Elsewhere,
    End,
    HalfClose,
    Leave,
    Reload,
    Reply,
    Say,
    Stall,
    Step,
    Stop,
    Store,
    Turn,
    Wait,
)


@dataclass(frozen=True, slots=True)
class Wire:
    """A surface, and a model that speaks it."""

    path: str
    model: str
    route: str
    """The preference that leads to the model, as `tests.router.conftest.build_config` has them."""
    answer: bytes
    stream: bytes
    fields: Mapping[str, object]
    """What a request has besides its model."""
    lines: tuple[str, ...] = ()
    """What its SDK's head has besides."""


_MESSAGES = {"messages": [{"role": "user", "content": 'hi ünd { " } \\'}]}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "type": "message",
            "id": "m1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "hello", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
}


def _tell(kind: str, **fields: object) -> bytes:
    return sse.encode_event(json.dumps({"type": kind, **fields}).encode(), kind)


_RESPONSE_STREAM = b"".join(
    [
        _tell("response.created", response={**_RESPONSE, "status": "in_progress", "output": []}),
        _tell("response.output_text.delta", item_id="m1", output_index=0, content_index=0, delta="hello"),
        _tell("response.completed", response=_RESPONSE),
    ]
)

_OPENAI = (
    "Accept: application/json",
    "Content-Type: application/json",
    "User-Agent: OpenAI/Python 2.45.0",
    "Authorization: Bearer sk-client",
    "X-Stainless-Lang: python",
    "X-Stainless-Retry-Count: 0",
    "Accept-Encoding: gzip, deflate",
    "Connection: keep-alive",
)
_ANTHROPIC = (
    "Accept: application/json",
    "Content-Type: application/json",
    "User-Agent: Anthropic/Python 2.14.0",
    "x-api-key: sk-client",
    "anthropic-version: 2023-06-01",
    "Connection: keep-alive",
)

CHAT = Wire("/v1/chat/completions", GPT, "talk", COMPLETION, CHAT_STREAM, _MESSAGES, _OPENAI)
MESSAGES = Wire("/v1/messages", CLAUDE, "code", MESSAGE, MESSAGES_STREAM, {**_MESSAGES, "max_tokens": 99}, _ANTHROPIC)
RESPONSES = Wire(
    "/v1/responses",
    GPT,
    "talk",
    json.dumps(_RESPONSE).encode(),
    _RESPONSE_STREAM,
    {"input": "hi", "store": False},
    _OPENAI,
)
WIRES = (CHAT, MESSAGES, RESPONSES)

_ANSWER_LINES = (
    "Date: Sun, 29 Nov 2026 12:00:00 GMT",
    "x-request-id: req_{number}",
    "openai-processing-ms: {number}1",
    "x-ratelimit-remaining-requests: 99{number}",
    "CF-RAY: 8e{number}-FRA",
    "Server: cloudflare",
    "Connection: keep-alive",
)

SHOWN_BYTES = 600
"""How much of a request and an answer is shown where a test fails."""


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """A request's bytes, the answers that providers give, in pieces, and what goes wrong."""

    request: bytes
    answer: bytes
    request_cuts: tuple[int, ...] = ()
    """Where the request's bytes are cut into reads."""
    answer_cuts: tuple[int, ...] = ()
    fault: Step | None = None
    fault_at: int = 0
    """At which step it comes, and what was to come after it of the client's and the provider's does not, where it ends
    one of them."""
    qualifies: bool = True

    def __repr__(self) -> str:
        parts = (_shorten(self.request), _shorten(self.answer), self.request_cuts, self.answer_cuts)
        return f"Exchange{(*parts, self.fault, self.fault_at, self.qualifies)!r}"

    def script(self) -> list[Step]:
        """Write the steps; a request that is sent again finds the whole answer."""
        said: list[Step] = [Say(piece) for piece in _cut(self.request, self.request_cuts)]
        pieces = _cut(self.answer, self.answer_cuts)
        told: list[Step] = [*(Reply(piece, ends=False) for piece in pieces[:-1]), Reply(pieces[-1])]
        steps = [*said, *told]
        if self.fault is None:
            return steps
        at = self.fault_at % (len(steps) + 1)
        before, after = steps[:at], steps[at:]
        match self.fault:
            case Leave():
                after = []
            case End() | HalfClose() | Stop():
                after = (
                    [step for step in after if not isinstance(step, Reply)] if isinstance(self.fault, End) else after
                )
            case Stall():
                after = [*after, Stall()]
            case Store():
                waited = (0.1, 0.3)[self.fault_at % 2]  # the second is longer than a store is waited for
                after = [*after, Wait(waited), Store("answers"), Wait(waited)]
        return [*before, self.fault, *after, *(Reply(self.answer) for _ in range(3))]


def build_request(
    wire: Wire,
    *,
    streams: bool = False,
    affinity_id: str | None = "run-1",
    lines: Sequence[str] = (),
    fields: Mapping[str, object] | None = None,
    indent: int | None = None,
) -> bytes:
    """Build a request as an SDK sends it."""
    extra = {"stream": True} if streams else {}
    body = json.dumps({"model": wire.model, **wire.fields, **extra, **(fields or {})}, indent=indent).encode()
    session = [f"X-Model-Affinity: {affinity_id}"] if affinity_id is not None else []
    head = [
        f"POST {wire.path} HTTP/1.1",
        "Host: 127.0.0.1:12000",
        *wire.lines,
        *session,
        *lines,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def build_answer(
    body: bytes,
    kind: str = "application/json",
    *,
    status: str = "200 OK",
    lines: Sequence[str] = _ANSWER_LINES,
    chunk: int | None = None,
    number: int = 1,
) -> bytes:
    """Build a provider's answer, with its length, or in chunks of so many bytes."""
    framing = f"Content-Length: {len(body)}" if chunk is None else "Transfer-Encoding: chunked"
    told = [line.format(number=number) for line in lines]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {kind}", *told, framing, "", ""]).encode()
    if chunk is None:
        return head + body
    parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def build_good(wire: Wire, *, streams: bool, chunk: int | None = None, number: int = 1) -> bytes:
    """Build the answer that a request asks for."""
    if not streams:
        return build_answer(wire.answer, chunk=chunk, number=number)
    return build_answer(wire.stream, "text/event-stream; charset=utf-8", chunk=chunk or 120, number=number)


def build_long(wire: Wire, *, streams: bool) -> bytes:
    """Build an answer that is longer than anybody holds for a client that does not read."""
    if not streams:
        return build_answer(wire.answer + b" " * 400_000)
    return build_answer(
        wire.stream.replace(b"lazy", b"lazy " * 40_000).replace(b"hello", b"hello " * 40_000),
        "text/event-stream",
        chunk=4_000,
    )


def _shorten(data: bytes) -> bytes:
    return data if len(data) <= SHOWN_BYTES else data[:SHOWN_BYTES] + b"... of %d" % len(data)


def _cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % (len(data) or 1) for cut in cuts} - {0})
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


# What hypothesis draws.

_CUTS = st.lists(st.integers(0, 5_000), max_size=4).map(tuple)

_IDS = st.sampled_from(["run-1", "run-1", "run-2", "run-3", "run-4"])
"""The first is a session's that is pinned as a script begins."""

_CHANGING_LINES = st.lists(
    st.sampled_from(
        [
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "tracestate: a=1, b=2",
            "baggage: user=a, region=b;x=y",
            "sentry-trace: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "x-request-id: 7d1",
            "Idempotency-Key: stainless-python-retry-1",
            "X-Stainless-Read-Timeout: 600",
        ]
    ),
    max_size=3,
    unique=True,
)

_HARMLESS_FIELDS: st.SearchStrategy[Mapping[str, object]] = st.sampled_from(
    [
        {},
        {"temperature": 0.2},
        {"metadata": {"model": "nested"}},
        {"user": "ü" * 40_000},
        {"user": 'a "model": b'},
    ]
)

_ODD_FIELDS: Mapping[str, Mapping[str, object]] = {
    "unknown model": {"model": "nobody/nothing"},
    "no model": {"model": None},
    "bare model": {"model": "gpt-4o"},
    "own preferences": {"routing_preferences": [{"name": "talk", "description": "talk", "models": [CLAUDE]}]},
    "many answers": {"n": 2},
    "too many tokens": {"max_tokens": 900_000},
    "messages that are none": {"messages": "hi", "input": 5},
    "a stream that is not a flag": {"stream": "yes"},
}

_ODD_LINES = (
    "Expect: 100-continue",
    "Connection: close",
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "X-Model-Affinity: run-2",
    "X-Model-Affinity-Hint: anthropic/claude-sonnet-4-6",
    "X-Model-Affinity-Scope: user_turn",
    "X-Plano-Explain: true",
    " folded: line",
    "no colon",
    "Bad Name: x",
    "X-Control: a\x01b",
    "Upgrade: websocket",
    "Host: another",
)

_HEAD_EDITS: Mapping[str, tuple[bytes, bytes]] = {
    "bare line feeds": (b"\r\n", b"\n"),
    "another version": (b"HTTP/1.1", b"HTTP/1.0"),
    "no version": (b" HTTP/1.1", b""),
    "another method": (b"POST ", b"GET "),
    "a path with a slash at its end": (b" HTTP/1.1", b"/ HTTP/1.1"),
    "a path with a query": (b" HTTP/1.1", b"?beta=true HTTP/1.1"),
    "an escaped path": (b"/v1/", b"/%76%31/"),
    "an absolute target": (b"POST /", b"POST http://127.0.0.1/"),
    "no host": (b"Host: 127.0.0.1:12000\r\n", b""),
    "a space before a colon": (b"Host:", b"Host :"),
    "a length with a sign": (b"Content-Length: ", b"Content-Length: +"),
    "an id that is too long": (b"run-1", b"r" * 300),
    "an id with a space": (b"run-1", b"run 1"),
    "an empty id": (b"run-1", b""),
    "names in capitals": (b"X-Model-Affinity", b"X-MODEL-AFFINITY"),
}

_BODY_EDITS: Mapping[str, tuple[bytes, bytes]] = {
    "no JSON": (b"{", b"["),
    "cut short": (b"}", b" "),
    "a model that stands twice": (b'{"model"', b'{"model": "x", "model"'),
    "an escaped key": (b'"model"', b'"mod\\u0065l"'),
    "an escaped model": (b"gpt-4o", b"gpt\\u002d4o"),
    "no UTF-8": (b"hi", b"h\xff"),
    "half an emoji": (b"hi", b"\\ud83d"),
}


@st.composite
def draw_exchange(draw: st.DrawFn, wire: Wire, *, good: bool = False, is_shared: bool = False) -> Exchange:
    """Draw a request, its answer and their cuts; and, unless it is to be a good one, mostly something that is wrong.

    Args:
        draw: Hypothesis' own.
        wire: Its surface.
        good: Whether nothing is to be wrong.
        is_shared: Whether something may be wrong with a shared store.
    """
    streams = draw(st.booleans())
    number = draw(st.integers(1, 9))
    exchange = Exchange(
        build_request(
            wire,
            streams=streams,
            lines=draw(_CHANGING_LINES),
            fields=draw(_HARMLESS_FIELDS),
            indent=draw(st.sampled_from([None, 1])),
            affinity_id=draw(_IDS),
        ),
        build_good(wire, streams=streams, chunk=draw(st.sampled_from([None, 7, 120])), number=number),
        draw(_CUTS),
        draw(_CUTS),
    )
    if draw(st.integers(0, 7)) == 0:
        exchange = replace(exchange, answer=build_long(wire, streams=streams))
    kind = "good" if good else draw(st.sampled_from(["good", "odd request", "odd answer", "fault"]))
    if kind == "odd request":
        return replace(exchange, request=draw(_odd_requests(wire, streams)), qualifies=False)
    if kind == "odd answer":
        return replace(exchange, answer=draw(_odd_answers(wire)), qualifies=False)
    if kind == "fault":
        fault = draw(_store_faults if is_shared and draw(st.booleans()) else _faults)
        return replace(exchange, fault=fault, fault_at=draw(st.integers(0, 12)), qualifies=False)
    return exchange


_faults = st.one_of(
    st.builds(Leave),
    st.builds(End, st.booleans()),
    st.builds(HalfClose),
    st.builds(Stall),
    st.builds(Stop),
    st.builds(Reload),
    st.builds(Wait, st.sampled_from([0.5, 14.0, 16.0, 61.0, 301.0, 901.0])),
)


_store_faults = st.one_of(
    st.builds(Store, st.sampled_from(["waits", "waits", "fails", "answers"])),
    st.builds(Elsewhere, st.sampled_from(["drop", "move", "flush"])),
)


@st.composite
def _odd_requests(draw: st.DrawFn, wire: Wire, streams: bool) -> bytes:  # noqa: FBT001 - drawn
    affinity_id = draw(_IDS)
    request = build_request(wire, streams=streams, affinity_id=affinity_id)
    kind = draw(st.sampled_from(["line", "head", "body", "fields", "bytes"]))
    if kind == "line":
        return build_request(wire, streams=streams, affinity_id=affinity_id, lines=[draw(st.sampled_from(_ODD_LINES))])
    if kind == "fields":
        fields = draw(st.sampled_from([*_ODD_FIELDS.values()]))
        return build_request(wire, streams=streams, affinity_id=affinity_id, fields=fields)
    head, end, body = request.partition(b"\r\n\r\n")
    if kind == "head":
        old, new = draw(st.sampled_from([*_HEAD_EDITS.values()]))
        return (head + end).replace(old, new) + body
    if kind == "body":
        old, new = draw(st.sampled_from([*_BODY_EDITS.values()]))
        body = body.replace(old, new, 1)
        length = b"Content-Length: %d" % len(body)
        return head.replace(head[head.index(b"Content-Length") :], length) + end + body
    place, byte = draw(st.integers(0, len(head) - 1)), draw(st.sampled_from(b"\x00\r\n :;\xff a0"))
    return head[:place] + bytes([byte]) + head[place + draw(st.integers(0, 1)) :] + end + body


@st.composite
def _odd_answers(draw: st.DrawFn, wire: Wire) -> bytes:
    good = build_answer(wire.answer)
    error = b'{"error": {"message": "too many", "type": "rate_limit_error"}}'
    sse_error = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}\n\n'
    return draw(
        st.sampled_from(
            [
                build_answer(error, status="429 Too Many Requests", lines=["retry-after: 0"]),
                build_answer(error, status="429 Too Many Requests", lines=["retry-after: 7200"]),
                build_answer(error, status="400 Bad Request"),
                build_answer(error, status="401 Unauthorized"),
                build_answer(error, status="500 Internal Server Error"),
                build_answer(b"<html>", "text/html", status="502 Bad Gateway"),
                build_answer(b"", status="204 No Content"),
                build_answer(b"", status="302 Found", lines=["location: http://elsewhere.test"]),
                build_answer(error),
                build_answer(b"{}"),
                build_answer(b"no JSON"),
                build_answer(b""),
                build_answer(sse_error, "text/event-stream", chunk=1_000),
                build_answer(b"data: nothing\n\n", "text/event-stream", chunk=1_000),
                build_answer(b": comment\n\n" + wire.stream, "text/event-stream", chunk=50),
                build_answer(wire.stream[: len(wire.stream) // 2], "text/event-stream", chunk=50),
                build_answer(wire.stream + wire.stream, "text/event-stream", chunk=50),
                build_answer(wire.stream, "text/event-stream", chunk=50),
                build_answer(wire.stream.replace(b"\n", b"\r\n"), "text/event-stream", chunk=50),
                good,
                b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + good,
                good + b"more than was asked for",
                good.replace(b"keep-alive", b"close"),
                good.replace(b"HTTP/1.1", b"HTTP/1.0"),
                good.replace(b"Content-Length", b"X-Length"),
                good.replace(b"Content-Length: ", b"Content-Length: 9"),
                good.replace(b"Server: cloudflare", b"Content-Encoding: gzip"),
                good.replace(b"Server: cloudflare", b"Transfer-Encoding: chunked"),
                good.replace(b"Server: cloudflare", b"Set-Cookie: a=b"),
                b"SSH-2.0-OpenSSH_9.2\r\n",
                b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
            ]
        )
    )


@st.composite
def draw_crowd(draw: st.DrawFn, wire: Wire) -> list[Step]:
    """Draw what two clients do at once, a step of one and a step of the other as it comes."""
    scripts = [
        [step for each in draw(st.lists(draw_exchange(wire), min_size=1, max_size=2)) for step in each.script()]
        for _ in range(2)
    ]
    steps: list[Step] = []
    while any(scripts):
        client = draw(st.integers(0, 1))
        if scripts[client]:
            steps += [Turn(client), scripts[client].pop(0)]
        else:
            steps += [Turn(1 - client), *scripts[1 - client]]
            break
    return steps
