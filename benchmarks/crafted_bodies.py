"""The delay of a small pinned request beside one large crafted body, for each shape of body, surface and wire.

The router runs in a process of its own as `plano-agents up` runs it. One client asks over a session that is pinned, one
small request after the other; meanwhile another client sends one body of up to 32 MiB, which is made to cost as much as
it can. What is told is the small requests' worst delay, the router's CPU time within one of them (which the machine's
other work changes little: on an idle machine the delay is about as long), and what became of the body. The aim is
`AIM_MS`; Linux only.

    .venv/bin/python benchmarks/crafted_bodies.py
"""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from plano_agents.config.model import Config, Model, ModelProfile
from plano_agents.config.options import PromptCaching
from plano_agents.protocol.values import MAX_VALUES
from plano_agents.router.run import run_router
from plano_agents.secret_str import SecretStr

AIM_MS = 250
"""The longest that a small request may wait."""

MOST = 31 * 1024 * 1024
"""How long a crafted body is at most, in bytes."""

SURFACES = {"/v1/chat/completions": "messages", "/v1/messages": "messages", "/v1/responses": "input"}
"""The endpoints, and where their conversation stands."""

CHAT = (
    b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{}}'
)
MESSAGE = (
    b'{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x"}],'
    b'"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)
SMALL = b'{"model":"openai/m","messages":[{"role":"user","content":"x"}]}'


def _repeat(piece: bytes, values: int = 0) -> bytes:
    """Repeat a piece until there are so many bytes as may be, or so many values."""
    count = MOST // (len(piece) + 1)
    return b",".join([piece] * (min(count, (MAX_VALUES - 100) // values) if values else count))


def _say(text: bytes) -> bytes:
    return b'{"role":"user","content":"%b"}' % (text * (MOST // len(text)))


def build_shapes() -> Mapping[str, tuple[bytes, bytes]]:
    """Build the bodies' conversations, and what else stands in them."""
    message = b'{"role":"user","content":"%b"}'
    image = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%b"}}'
    part = b'{"type":"text","text":"%b"}'
    tool = b'{"type":"function","name":"f","function":{"name":"f","parameters":{"a":"%b"}},"input_schema":{}}'
    parts = b'{"role":"user","content":[%b]}'
    return {
        "millions of tiny messages": (_repeat(message % b""), b""),
        "millions of numbers": (_repeat(b"1"), b""),
        "as many messages as may be": (_repeat(message % (b"x" * 800), 3), b""),
        "as many parts as may be": (parts % _repeat(part % (b"x" * 800), 3), b""),
        "many images": (parts % _repeat(image % (b"A" * 1_100), 4), b""),
        "many tools": (message % b"x", b',"tools":[%b]' % _repeat(tool % (b"x" * 1_500), 8)),
        "many fields": (
            message % b"x",
            b"," + b",".join(b'"%d":1' % each for each in range(MAX_VALUES - 100)),
        ),
        "deep nesting": (b"[" * (MOST // 2) + b"]" * (MOST // 2), b""),
        "beginnings of `data:`": (_say(rb"\"data:a/b,"), b""),
        "one string of escapes": (_say(rb"\n"), b""),
        "one string of escaped letters": (_say(rb"\u00e9"), b""),
        "one string of commas": (_say(b", "), b""),
        "one string of `<`": (_say(b"<"), b""),
        "one string of envelopes": (_say(b"<bash-input>"), b""),
        "one plain string": (_say(b"x"), b""),
    }


def _read_head(stream: Any) -> dict[str, str]:  # noqa: ANN401 - a socket's file
    first = stream.readline().decode()
    head = {"": first}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        head[name.lower()] = value.strip()
    return head


def _provide(listener: socket.socket) -> None:
    """Answer any request."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_provide_on, args=[connection], daemon=True).start()


def _provide_on(connection: socket.socket) -> None:
    with connection, connection.makefile("rb") as stream:
        while first := _read_head(stream):
            if not first[""]:
                return
            missing = int(first["content-length"])
            while missing:
                missing -= len(stream.read(min(missing, 1 << 20)))
            answer = MESSAGE if "/messages" in first[""] else CHAT
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                % (len(answer), answer)
            )


def _serve(listener: socket.socket, provider: str) -> None:
    config = Config(
        models=tuple(
            Model(f"{kind}/m", kind, "m", interface=kind, access_key=SecretStr("none"), base_url=provider)
            for kind in ("openai", "anthropic")
        ),
        profiles=MappingProxyType(
            {f"{kind}/m": ModelProfile(1_000_000, images=False, tools=False) for kind in ("openai", "anthropic")}
        ),
        prompt_caching=PromptCaching(enabled=True),
    )
    run_router(config, [listener], load=lambda: config, on_ready=lambda: None, on_reloaded=lambda _: None)


class Client:
    """A client on one connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._stream = self._socket.makefile("rb")

    def ask(self, path: str, body: bytes, session: str | None) -> str:
        """Send a request; give the answer's status."""
        head = [
            f"POST {path} HTTP/1.1",
            "host: localhost",
            "content-type: application/json",
            f"content-length: {len(body)}",
        ]
        if session is not None:
            head.append(f"x-model-affinity: {session}")
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + body)
        answer = _read_head(self._stream)
        self._stream.read(int(answer.get("content-length", 0)))
        return answer[""].partition(" ")[2][:3] or "closed"

    def close(self) -> None:
        """Leave."""
        self._stream.close()
        self._socket.close()


class Probe:
    """Asks small pinned requests without end, and knows the longest that one took."""

    def __init__(self, port: int, pid: int) -> None:
        self._client = Client(port)
        self._times = Path(f"/proc/{pid}/schedstat")
        self.forget()
        threading.Thread(target=self._run, daemon=True).start()

    def forget(self) -> None:
        """Begin anew."""
        self.delay_ms = self.cpu_ms = 0.0
        """The longest delay, and the most of the router's CPU time in one, in milliseconds."""

    def _run(self) -> None:
        while True:
            began, used = time.perf_counter(), self._read_cpu_ms()
            self._client.ask("/v1/chat/completions", SMALL, "probe")
            self.delay_ms = max(self.delay_ms, (time.perf_counter() - began) * 1000)
            self.cpu_ms = max(self.cpu_ms, self._read_cpu_ms() - used)
            time.sleep(0.002)

    def _read_cpu_ms(self) -> float:
        """Read how long the router's event loop has run, without what it waited for a core."""
        return int(self._times.read_text().split()[0]) / 1e6


class Measured(NamedTuple):
    """The effect of one body on the others."""

    cpu_ms: float
    """The most of the router's CPU time within one small request."""
    delay_ms: float
    """The longest delay of a small request."""
    where: str
    """The endpoint and the model that the body was sent to."""
    status: str
    """What it was answered."""


def measure(port: int, pid: int) -> Iterator[tuple[str, Measured]]:
    """Measure each shape on each surface: to each wire, with a session and without."""
    probe = Probe(port, pid)
    time.sleep(1)
    for shape, (conversation, rest) in build_shapes().items():
        for path, field in SURFACES.items():
            for model in ("openai/m", "anthropic/m"):
                limit = b"" if field == "input" else b',"max_tokens":5'
                head = b'"model":"%b"%b' % (model.encode(), limit)
                body = b'{%b,"%b":[%b]%b}' % (head, field.encode(), conversation, rest)
                for session in (f"{shape} {path} {model}".encode().hex()[:100], None):
                    client = Client(port)
                    probe.forget()
                    status = client.ask(path, body, session)
                    time.sleep(0.05)
                    yield shape, Measured(probe.cpu_ms, probe.delay_ms, f"{path} to {model}", status)
                    client.close()


def main() -> None:
    """Print a table, a row for each shape."""
    provider, listener = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    url = f"http://127.0.0.1:{provider.getsockname()[1]}"
    router = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, url))
    router.start()
    assert router.pid is not None, "it was started"  # noqa: S101 - cannot happen
    threading.Thread(target=_provide, args=[provider], daemon=True).start()
    shapes: dict[str, list[Measured]] = {}
    try:
        for shape, measured in measure(listener.getsockname()[1], router.pid):
            shapes.setdefault(shape, []).append(measured)
    finally:
        os.kill(router.pid, signal.SIGTERM)
        router.join()
    print("| body | router's CPU time | worst delay | worst where | answers |\n|---|---|---|---|---|")
    for shape, each in shapes.items():
        worst = max(each)
        delay = max(one.delay_ms for one in each)
        statuses = ", ".join(sorted({one.status for one in each}))
        print(f"| {shape} | {worst.cpu_ms:.0f} ms | {delay:.0f} ms | `{worst.where}` | {statuses} |")


if __name__ == "__main__":
    main()
