"""The cost of a first turn with the embedded strategy, also to those that are served meanwhile.

Run it with ``scripts/uv run benchmarks/first_turns.py``. A router, `plano-agents up` on one core, stands before a
provider that answers at once, on another. First turns bring an id and a text that nobody has seen; of them the time
from request to answer is told, and of it what the router says that routing took. Pinned requests come at a steady rate
over connections of their own, each measured from when it was due, in windows with first turns beside them and without,
one after the other; what is told is the percentiles of each kind of window, and by how much they differ.
"""

import asyncio
import json
import os
import platform
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import click
import uvloop

AIM_MILLISECONDS, AIM_DELAY_MILLISECONDS = 20.0, 2.0
FIRST_TURNS = 100
"""How many are measured by themselves."""
CONNECTIONS = 8
"""Over how many connections the pinned requests come."""
ROUTING = re.compile(rb"server-timing:[^\r]*routing;dur=([\d.]+)", re.IGNORECASE)
CONFIG = """version: v0.4.0
listeners: [{{type: model, name: model_listener, port: 12000}}]
model_providers:
  - {{model: openai/gpt-4o-mini, access_key: none, base_url: "{url}", default: true}}
  - {{model: openai/gpt-4o, access_key: none, base_url: "{url}"}}
routing_preferences:
  - {{name: code_generation, description: "writing functions, scripts, tests", models: [openai/gpt-4o]}}
  - {{name: complex_reasoning, description: "analysis, mathematics, planning", models: [openai/gpt-4o]}}
  - {{name: small_talk, description: "greetings, thanks, chatting", models: [openai/gpt-4o-mini]}}
"""
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    }
).encode()
TEXT = """
write a function that reads the benchmark table and plots which database answers orders fastest under load please
explain why our service slows down when many customers pay at once and plan how we could move it step by step without
losing data thanks for the help yesterday what do you think of the weather in spring
"""
"""What first turns' words are taken from."""


class Provider(asyncio.Protocol):
    """Answers every request at once."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection."""
        self._transport = cast("asyncio.Transport", transport)  # as TCP gives it

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = re.search(rb"content-length: *(\d+)", self._buffer[:end], re.IGNORECASE)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
            self._transport.write(head + ANSWER)


class Client:
    """Asks the router over one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        """Open a connection."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, affinity_id: str, text: str) -> bytes:
        """Ask once; give the answer's head."""
        body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}).encode()
        head = ["POST /v1/chat/completions HTTP/1.1", "host: localhost", "content-type: application/json"]
        head += [f"x-model-affinity: {affinity_id}", f"content-length: {len(body)}"]
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(len(ANSWER))
        if b" 200 " not in answer[:20]:
            raise click.ClickException(f"The router answered {answer!r}.")
        return answer

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


@dataclass(slots=True)
class Measured:
    """Measurements, in ms."""

    first_turns: list[float] = field(default_factory=list)
    """From request to answer, with nothing else going on."""
    routing: list[float] = field(default_factory=list)
    """What of it the router says that routing took."""
    quiet: list[list[float]] = field(default_factory=list)
    """Pinned requests without first turns beside them, a list for each window."""
    beside: list[list[float]] = field(default_factory=list)
    """Pinned requests with first turns beside them, a list for each window."""

    def to_json(self) -> dict[str, dict[str, float]]:
        """Write it down."""
        return {
            "first turn": _sum_up(self.first_turns),
            "of which routing": _sum_up(self.routing),
            "pinned, quiet": _sum_up([each for window in self.quiet for each in window]),
            "pinned, beside first turns": _sum_up([each for window in self.beside for each in window]),
            "delay": {name: self._delay(name) for name in ("p50", "p90", "p99")},
        }

    def _delay(self, name: str) -> float:
        """By how much a percentile differs between a quiet window and the next: the median over the pairs."""
        pairs = zip(self.quiet, self.beside, strict=True)
        return statistics.median(_sum_up(beside)[name] - _sum_up(quiet)[name] for quiet, beside in pairs)


def _sum_up(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {name: ordered[int(len(ordered) * share)] for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}


class Texts:
    """Makes texts that nobody has seen: so many words at random."""

    def __init__(self, words: int) -> None:
        self._words = words
        self._random = random.Random(6)  # noqa: S311 - the same in every run

    def make(self) -> str:
        """Make one."""
        return " ".join(self._random.choices(TEXT.split(), k=self._words)) + f" {self._random.randrange(10**6)}"


async def measure(port: int, *, words: int, windows: int, seconds: float, rate: float, first_rate: float) -> Measured:
    """Measure first turns alone, then pinned requests in windows without and with first turns beside them."""
    measured, texts = Measured(), Texts(words)
    first = await Client.connect(port)
    for number in range(-10, FIRST_TURNS):  # the first ten load what is to be loaded
        started = time.perf_counter()
        answer = await first.ask(f"first-{number}", texts.make())
        if number >= 0:
            measured.first_turns.append((time.perf_counter() - started) * 1e3)
            found = ROUTING.search(answer)
            measured.routing.append(float(found.group(1)) if found else 0.0)
    first.close()
    pinned = [await Client.connect(port) for _ in range(CONNECTIONS)]
    for number, client in enumerate(pinned):
        await client.ask(f"pinned-{number}", "hello")
    for window in range(-1, windows):
        quiet = await _ask_steadily(pinned, seconds, rate)
        first = await Client.connect(port)
        turning = asyncio.create_task(_turn(first, texts, seconds, first_rate, window))
        beside = await _ask_steadily(pinned, seconds, rate)
        await turning
        first.close()
        if window >= 0:
            measured.quiet.append(quiet)
            measured.beside.append(beside)
    for client in pinned:
        client.close()
    return measured


async def _ask_steadily(clients: Sequence[Client], seconds: float, rate: float) -> list[float]:
    """Ask pinned requests in turn over the connections; give how long after its time each was answered."""
    start = time.perf_counter()

    async def ask(number: int, client: Client) -> list[float]:
        waits = []
        for due in range(number, int(seconds * rate), len(clients)):
            await asyncio.sleep(max(0.0, start + due / rate - time.perf_counter()))
            await client.ask(f"pinned-{number}", "hello")
            waits.append((time.perf_counter() - start - due / rate) * 1e3)
        return waits

    waits = await asyncio.gather(*(ask(number, client) for number, client in enumerate(clients)))
    return [each for own in waits for each in own]


async def _turn(client: Client, texts: Texts, seconds: float, rate: float, window: int) -> None:
    start = time.perf_counter()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        await client.ask(f"beside-{window}-{number}", texts.make())


@asynccontextmanager
async def run_provider(core: int | None) -> AsyncGenerator[str, None]:
    """Run the provider in a process of its own; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    command = [sys.executable, __file__, "--provide", str(listener.fileno())]
    process = subprocess.Popen(_on_core(command, core), pass_fds=[listener.fileno()])  # noqa: ASYNC220, S603 - at once; ourselves
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        process.terminate()
        process.wait()


async def _provide(descriptor: int) -> None:
    listener = socket.socket(fileno=descriptor)
    server = await asyncio.get_running_loop().create_server(Provider, sock=listener)
    await server.serve_forever()


@asynccontextmanager
async def run_router(folder: Path, provider_url: str, core: int | None) -> AsyncGenerator[int, None]:
    """Run the router; gives its port."""
    (folder / "config.yaml").write_text(CONFIG.format(url=provider_url))
    command = [sys.executable, "-u", "-m", "plano_agents", "up", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*_on_core(command, core), cwd=folder, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        said = await process.stdout.readline()
        found = re.search(rb"http://127\.0\.0\.1:(\d+)/v1", said)
        if found is None:
            raise click.ClickException(f"The router did not start; it said {said!r}.")
        yield int(found.group(1))
    finally:
        process.terminate()
        await process.communicate()


def _on_core(command: list[str], core: int | None) -> list[str]:
    return ["taskset", "-c", str(core), *command] if core is not None else command


async def _measure_all(options: dict[str, float], words: int, windows: int, *, pinned: bool) -> Measured:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    router_core, other_core = (cores[0], cores[-1]) if pinned and len(cores) > 1 else (None, None)
    if other_core is not None:
        os.sched_setaffinity(0, {other_core})
    with tempfile.TemporaryDirectory() as folder:
        async with (
            run_provider(other_core) as provider_url,
            run_router(Path(folder), provider_url, router_core) as port,
        ):
            return await measure(port, words=words, windows=windows, **options)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--words", type=click.IntRange(1), default=100, help="Words of a first turn's text.")
@click.option("--windows", type=click.IntRange(1), default=5, help="Pairs of windows.")
@click.option("--seconds", type=click.FloatRange(0.1), default=4.0, help="Length of a window.")
@click.option("--rate", type=click.FloatRange(1), default=200.0, help="Pinned requests per second.")
@click.option("--first-rate", type=click.FloatRange(0.1), default=5.0, help="First turns per second beside them.")
@click.option("--pin/--no-pin", "pinned", default=True, help="Give the router a core of its own (taskset).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--provide", type=int, hidden=True, help="Be the provider, on this socket.")
def main(
    *,
    words: int,
    windows: int,
    seconds: float,
    rate: float,
    first_rate: float,
    pinned: bool,
    as_json: bool,
    provide: int | None,
) -> None:
    """Measure first turns with the embedded router, and what they cost other requests."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if provide is not None:
            runner.run(_provide(provide))
            return
        options = {"seconds": seconds, "rate": rate, "first_rate": first_rate}
        measured = runner.run(_measure_all(options, words, windows, pinned=pinned)).to_json()
    machine = {"python": platform.python_version(), "system": platform.platform(), "cpus": os.cpu_count()}
    if as_json:
        click.echo(json.dumps({"machine": machine, "unit": "ms", "figures": measured}, indent=2))
        return
    click.echo(f"{'ms':<30}" + "".join(f"{name:>10}" for name in ("p50", "p90", "p99")))
    for name, figures in measured.items():
        click.echo(f"{name:<30}" + "".join(f"{figure:>10.2f}" for figure in figures.values()))
    click.echo(
        f"The aims: a first turn of {AIM_MILLISECONDS:.0f} ms, and a delay of {AIM_DELAY_MILLISECONDS:.0f} ms at p99."
    )


if __name__ == "__main__":
    main()
