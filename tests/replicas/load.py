"""Agents that never stop asking while routers come and go: each loop has an id, a connection, and no second try."""

import asyncio
import itertools
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from plano_agents import testing
from plano_agents.testing import UpstreamExchange
from tests.patience import PATIENCE_SECONDS
from tests.router.raw_client import COMPLETION, build_request

AGENTS = 12
TURNS = 7
"""The requests of a loop, all on one connection unless the router says that it closes; a third of them are streamed."""

THINK_SECONDS = 0.05
"""An agent's own work between two turns: its connection is idle meanwhile, and routers have time to start."""

_give = testing.give(COMPLETION)
_stream = testing.stream(b'data: {"id":"c1","choices":[{"delta":{"content":"a"}}]}\n\n' * 3, b"data: [DONE]\n\n")


async def answer(exchange: UpstreamExchange) -> None:
    """The provider's side: a stream, where one is asked for."""
    await (_stream if exchange.json.get("stream") else _give)(exchange)


@dataclass
class Load:
    """Agents at work, until the ``with`` ends.

    Args:
        url: Whom they ask.
    """

    url: str
    answered: int = 0
    """How many requests were answered well."""
    errors: list[str] = field(default_factory=list)
    """Whatever else happened to one."""
    models: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The models of each loop."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)
    _is_over: bool = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work(number)) for number in range(AGENTS)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._tasks)

    async def go_on(self, count: int = 10 * AGENTS) -> None:
        """Wait until so many more requests have been answered, or something went wrong."""
        wanted = self.answered + count
        async with asyncio.timeout(PATIENCE_SECONDS), self._progress:
            await self._progress.wait_for(lambda: self.answered >= wanted or self.errors)

    @property
    def switched(self) -> dict[str, set[str]]:
        """The loops that had more than one model."""
        return {name: models for name, models in self.models.items() if len(models) > 1}

    async def _work(self, number: int) -> None:
        for loop in itertools.count():
            name, turns = f"agent-{number}-{loop}", iter(range(TURNS))
            for turn in turns:
                if self._is_over:
                    return
                try:
                    await self._converse(name, itertools.chain([turn], turns))
                except (OSError, EOFError) as error:
                    self.errors.append(f"{name}: {error!r}")

    async def _converse(self, name: str, turns: "itertools.chain[int]") -> None:
        """Ask for turns on one connection, until they end, or the router says that it closes it."""
        parts = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            for turn in turns:
                body = {
                    "model": "openai/m0",
                    "stream": turn % 3 == 1,
                    "messages": [{"role": "user", "content": f"{name} {turn}"}],
                }
                writer.write(build_request(json.dumps(body).encode(), f"x-model-affinity: {name}", close=False))
                if await self._read(name, reader) or self._is_over:
                    return
                await asyncio.sleep(THINK_SECONDS)
                if reader.at_eof():  # as HTTP clients look before they use a connection again
                    return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, name: str, reader: asyncio.StreamReader) -> bool:
        """Read an answer; whether the connection closes after it."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            await reader.readexactly(int(headers["content-length"]))
        if first.split()[1] == "200":
            self.models[name].add(headers["x-plano-model"])
            self.answered += 1
        else:
            self.errors.append(f"{name}: {first} {headers}")
        async with self._progress:
            self._progress.notify_all()
        return headers.get("connection", "").lower() == "close"
