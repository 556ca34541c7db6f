"""The cost of a pinned request in our code, as counts that no busy machine changes; run by ``scripts/check-cost``.

The router runs in this process as `plano-agents up` runs it, on real sockets, with a client and a provider in threads
of their own. In the router's thread every line that our code runs and every call that it makes is counted, over many
requests one after the other; what a request does not always do (timers, a piece of a body more) is rounded away. Of
requests that are over observers are told in full gatherings, each request with its share of what that costs. So the
counts are the same on every machine, and of the libraries only the calls into them count: a request body that is parsed
once more is a call more. Compared with ``hot_path_cost.json``, written by ``scripts/check-cost --accept``, they may not
grow at all under the Python that they were written with, and by `TOLERANCE` under others, whose compilers count lines
and calls a little differently.
"""

import json
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

import plano_agents
from plano_agents.config.model import Config, Model, Preference
from plano_agents.config.options import Routing
from plano_agents.router.run import run_router
from plano_agents.router.watch import telling
from plano_agents.secret_str import SecretStr

RECORD = Path(__file__).with_suffix(".json")
"""What was accepted."""

TOLERANCE = 0.05
"""By how much, as a share, counts may grow under another Python than the recorded one."""

MAX_SHOWN = 15
"""How many places a failure names at most."""

WARM_UP = REQUESTS = telling.MAX_GATHERED
FEW, MANY = 10, 30
"""How many pieces the streams have whose difference is a piece's cost."""

_PACKAGE = str(Path(plano_agents.__file__).parent)
_LINES = "lines"
_WATCH = "router/watch/"

Edges = Counter[tuple[str, str]]
"""How often a function of ours called another, or ran a line (`_LINES`): by the function's name and what it did."""

Shares = Mapping[tuple[str, str], float]
"""The same for one request, or one piece."""


class Counters:
    """Counts what our code does in the thread that `start` is called in."""

    def __init__(self) -> None:
        self._edges: Edges = Counter()
        self._names: dict[object, str | None] = {}

    def start(self) -> None:
        """Begin to count."""
        sys.settrace(self._trace)
        sys.setprofile(self._profile)

    def stop(self) -> None:
        """Count no more."""
        sys.setprofile(None)
        sys.settrace(None)

    def read(self) -> Edges:
        """Give what was counted so far."""
        return Counter(dict(self._edges))

    def _name(self, frame: FrameType) -> str | None:
        """Name a function of ours; None for others'."""
        code = frame.f_code
        if code not in self._names:
            path = code.co_filename
            own = path.startswith(_PACKAGE)
            self._names[code] = f"{path[len(_PACKAGE) + 1 :]} {code.co_qualname}" if own else None
        return self._names[code]

    def _trace(self, frame: FrameType, _event: str, _value: object) -> Callable[..., Any] | None:
        return self._trace_lines if self._name(frame) is not None else None

    def _trace_lines(self, frame: FrameType, event: str, _value: object) -> Callable[..., Any]:
        if event == "line":
            self._edges[self._name(frame) or "", _LINES] += 1
        return self._trace_lines

    def _profile(self, frame: FrameType, event: str, value: Any) -> None:  # noqa: ANN401 - a C function
        if event == "c_call":
            if (name := self._name(frame)) is not None:
                owner = getattr(value, "__module__", None) or type(getattr(value, "__self__", None)).__name__
                self._edges[name, f"{owner}.{value.__qualname__}"] += 1
        elif event == "call":
            callee = self._name(frame)
            caller = self._name(frame.f_back) if frame.f_back is not None else None
            if caller is not None:
                self._edges[caller, callee or f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"] += 1
            elif callee is not None:
                self._edges["from outside", callee] += 1


class Provider:
    """A provider on a socket: one answer for all, whole, or in pieces that it sends when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        """Where it is asked."""
        self.pieces = 0
        """How many pieces a streamed answer has."""
        self.go_on = threading.Semaphore(0)
        """Released for each further piece."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while head := _read_head(stream):
                body = stream.read(int(head["content-length"]))
                if b'"stream":true' not in body:
                    connection.sendall(_frame(WHOLE, "application/json"))
                    continue
                first, piece, last = _MESSAGES if "/messages" in head[""] else _CHUNKS
                pending = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + CHUNKED
                for event in (first, *[piece] * self.pieces, last):
                    if event:
                        pending += b"%x\r\n%b\r\n" % (len(event), event)
                    if event is piece:
                        connection.sendall(pending)  # nothing else is sent: how it is read depends on nothing else
                        pending = b""
                        self.go_on.acquire()  # each piece is read by itself, and costs what it costs
                connection.sendall(pending + b"0\r\n\r\n")


def _event(kind: str, **members: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


PIECE = "word "
CHUNK = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": PIECE}}],
}
_CHUNKS = (b"", f"data: {json.dumps(CHUNK)}\n\n".encode(), b"data: [DONE]\n\n")
_MESSAGES = (
    _event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 0},
        },
    )
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    _event("content_block_delta", index=0, delta={"type": "text_delta", "text": PIECE}),
    _event("content_block_stop", index=0)
    + _event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7})
    + _event("message_stop"),
)
_TEXT = "Write a Python function that sorts the words of a list by their length. " * 7
_PREFERENCES = (
    Preference("code", "writing new functions, classes and scripts", ("openai/gpt-4o", "anthropic/claude-sonnet-4-6")),
    Preference(
        "invoices", "questions on invoices, payments and refunds", ("anthropic/claude-sonnet-4-6", "openai/gpt-4o")
    ),
)
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
WHOLE = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 50}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 50, "total_tokens": 350},
    }
).encode()


def _frame(body: bytes, media_type: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        media_type.encode(),
        len(body),
        body,
    )


def _read_head(stream: Any) -> dict[str, str]:  # noqa: ANN401 - a socket's file
    """Read a message's first line, under the empty name, and its headers; nothing at the end."""
    first = stream.readline().decode()
    head = {"": first} if first else {}
    while (line := stream.readline().decode().strip()) if first else "":
        name, _, value = line.partition(":")
        head[name.lower()] = value.strip()
    return head


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is sent over and over."""

    model: str
    """What is asked for."""
    size: int
    """Its body's, in bytes, about."""
    pieces: int = 0
    """How many pieces its answer has; none for a whole one."""
    begins: bool = False
    """True if each time it is another session's first, its text one that the router has ranked before."""

    def encode(self, number: int) -> bytes:
        """Write it down.

        Args:
            number: How many of its kind were sent before.
        """
        turns = [{"role": "user", "content": _TEXT if self.begins else "x" * 500}] * (self.size // 540 or 1)
        body = json.dumps({"model": self.model, "messages": turns, "stream": bool(self.pieces)}, separators=(",", ":"))
        head = ["POST /v1/chat/completions HTTP/1.1", "host: localhost", "content-type: application/json"]
        session = f"new-{number}" if self.begins else f"on-{self.model}"
        head += [f"content-length: {len(body)}", f"x-model-affinity: {session}", "user-agent: cost"]
        return "\r\n".join([*head, "", body]).encode()


class Client:
    """Asks the router, one request after the other, over one connection."""

    def __init__(self, port: int, provider: Provider, counters: Counters) -> None:
        self._provider = provider
        self._counters = counters
        self._is_warm = False
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._stream = self._socket.makefile("rb")

    def count(self, request: Request) -> Edges:
        """Count what requests cost together, once the first of them are done."""
        self._provider.pieces = request.pieces
        warm_up = WARM_UP if self._is_warm else WARM_UP + WARM_UP // 2  # half a gathering waits at either end
        for number in range(warm_up):
            self._ask(request.encode(number))
        self._is_warm = True
        before = self._counters.read()
        for number in range(REQUESTS):
            self._ask(request.encode(warm_up + number))
        after = self._counters.read()
        after.subtract(before)
        return after

    def _ask(self, encoded: bytes) -> None:
        self._socket.sendall(encoded)
        head = _read_head(self._stream)
        if " 200 " not in head.get("", ""):
            raise click.ClickException(f"The router answered {head!r}.")
        if "content-length" in head:
            self._stream.read(int(head["content-length"]))
            return
        while size := int(self._stream.readline() or b"broken off", 16):
            for _ in range(self._stream.read(size + 2).count(PIECE.encode())):
                self._provider.go_on.release()
        self._stream.readline()


def measure() -> dict[str, Shares]:
    """Count what each kind of request costs."""
    provider, counters = Provider(), Counters()
    names = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-6"}
    models = tuple(
        Model(f"{kind}/{name}", kind, name, interface=kind, access_key=SecretStr("none"), base_url=provider.url)
        for kind, name in names.items()
    )
    config = Config(models=models, preferences=_PREFERENCES, routing=Routing(session_max_entries=WARM_UP // 2))
    listener = socket.create_server(("127.0.0.1", 0))
    measured: Future[dict[str, Shares]] = Future()

    def ask() -> None:
        try:
            measured.set_result(_measure_all(Client(listener.getsockname()[1], provider, counters)))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
            measured.set_exception(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def begin() -> None:
        counters.start()
        threading.Thread(target=ask).start()

    # How many requests fall into one gathering depends on the machine: here always as many as there may be.
    telling.GATHER_SECONDS = 3600
    try:
        run_router(config, [listener], load=lambda: config, on_ready=begin, on_reloaded=lambda _: None)
    finally:
        counters.stop()
    return measured.result()


def _measure_all(client: Client) -> dict[str, Shares]:
    measured: dict[str, Shares] = {}
    for name, request in {
        "a request of 1 KB": Request("openai/gpt-4o", 1_000),
        "a request of 20 KB": Request("openai/gpt-4o", 20_000),
        "a first turn of 1 KB": Request("openai/gpt-4o", 1_000, begins=True),
        "a first turn of 20 KB": Request("openai/gpt-4o", 20_000, begins=True),
    }.items():
        measured[name] = _share(client.count(request))
    for name, model in {
        "a streamed chunk": "openai/gpt-4o",
        "a streamed chunk, translated": "anthropic/claude-sonnet-4-6",
    }.items():
        few, many = (client.count(Request(model, 1_000, pieces)) for pieces in (FEW, MANY))
        many.subtract(few)
        measured[name] = _divide(many, REQUESTS * (MANY - FEW))
    return measured


def _divide(edges: Edges, count: int) -> Edges:
    """Divide counts by the number of requests, or of pieces."""
    return Counter({edge: each for edge, total in edges.items() if (each := round(total / count))})


def _share(edges: Edges) -> Shares:
    """Divide counts by the number of requests; observers' keep their fractions, for they are told of many at once."""
    divided = {
        edge: round(total / REQUESTS, 2 if edge[0].startswith(_WATCH) else None) for edge, total in edges.items()
    }
    return {edge: each for edge, each in divided.items() if each}


Costs = Mapping[str, Mapping[str, Mapping[str, float]]]
"""What each kind of request costs: by our functions, and by what they do."""


def describe(measured: Mapping[str, Shares]) -> Costs:
    """Sort counts by what costs and by our functions, as they are recorded."""
    costs: dict[str, dict[str, dict[str, float]]] = {}
    for name, edges in measured.items():
        costs[name] = {}
        for (function, done), count in sorted(edges.items()):
            costs[name].setdefault(function, {})[done] = count
    return costs


def sum_up(cost: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """Add up the lines and the calls of all functions."""
    lines = sum(each.get(_LINES, 0) for each in cost.values())
    calls = sum(sum(each.values()) for each in cost.values()) - lines
    return {_LINES: round(lines), "calls": round(calls)}


def compare(measured: Costs, recorded: Costs, tolerance: float) -> list[str]:
    """Say what costs more than was accepted, and where; nothing where nothing does."""
    told = []
    for name, cost in measured.items():
        accepted = recorded.get(name, {})
        now, then = sum_up(cost), sum_up(accepted)
        for unit in now:
            if now[unit] > then[unit] * (1 + tolerance):
                told.append(f"{name}: {now[unit]} {unit} of our code, {now[unit] - then[unit]} more than accepted")
                told += _find_growth(cost, accepted, is_lines=unit == _LINES)
    return told


def _find_growth(
    now: Mapping[str, Mapping[str, float]], then: Mapping[str, Mapping[str, float]], *, is_lines: bool
) -> list[str]:
    """Say where most was added."""
    grown = [
        (count - before, f"    {function}: {what} {before} → {count}")
        for function, done in now.items()
        for what, count in done.items()
        if (what == _LINES) is is_lines and count > (before := then.get(function, {}).get(what, 0))
    ]
    grown.sort(key=lambda each: -each[0])
    more = [f"    and {len(grown) - MAX_SHOWN} smaller ones"] if len(grown) > MAX_SHOWN else []
    return [told for _, told in grown[:MAX_SHOWN]] + more


def load_record() -> tuple[str, Costs]:
    """Read what was accepted, and under which Python."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return record["python"], record["costs"]


def write_record(python: str, costs: Costs) -> None:
    """Accept what was counted; a line for each function, so that a diff says which one changed."""
    kinds = []
    for name, cost in costs.items():
        functions = ",\n".join(f"  {json.dumps(function)}: {json.dumps(done)}" for function, done in cost.items())
        kinds.append(f" {json.dumps(name)}: {{\n{functions}\n }}")
    text = f'{{"python": {json.dumps(python)}, "costs": {{\n' + ",\n".join(kinds) + "\n}}\n"
    RECORD.write_text(text, encoding="utf-8")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--accept", is_flag=True, help=f"Write what is counted now to benchmarks/{RECORD.name}.")
def main(*, accept: bool) -> None:
    """Count what a pinned request costs our own code, and fail where it costs more than was accepted."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    measured = describe(measure())
    if accept:
        write_record(python, measured)
    recorded_python, recorded = load_record()
    grown = compare(measured, recorded, 0 if python == recorded_python else TOLERANCE)
    for name, cost in measured.items():
        now, then = sum_up(cost), sum_up(recorded.get(name, {}))
        less = " (less than recorded: scripts/check-cost --accept keeps it so)" if now != then and not grown else ""
        click.echo(f"{name:<30} {now[_LINES]:>6} lines {now['calls']:>6} calls{less}")
    if grown:
        raise click.ClickException(
            "\n".join(
                [
                    "The pinned path costs more than was accepted.",
                    *grown,
                    f"Take it off the path, or accept it: scripts/check-cost --accept, and commit {RECORD.name}.",
                ]
            )
        )


if __name__ == "__main__":
    main()
