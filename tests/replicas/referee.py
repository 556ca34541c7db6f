"""Lets replicas finish routing an id only when both have begun: so each decides by itself, and only one can win."""

import asyncio
from collections import Counter, defaultdict
from typing import Self

REPLICAS = 2
PATIENCE_SECONDS = 10.0
"""How long one replica waits for the other, in case haproxy gives it all requests of an id."""


class Referee:
    """Counts routings, and holds each until the other replica's has begun."""

    def __init__(self) -> None:
        self.routings: Counter[tuple[str, str]] = Counter()
        """How often each replica routed each id."""
        self.port = 0
        self._both: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._begun: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def contested(self) -> int:
        """The number of ids that both replicas routed."""
        return sum(len(names) == REPLICAS for names in self._begun.values())

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, affinity_id = (await reader.readline()).decode().split()
        self.routings[name, affinity_id] += 1
        self._begun[affinity_id].add(name)
        if len(self._begun[affinity_id]) == REPLICAS:
            self._both[affinity_id].set()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._both[affinity_id].wait()
        except TimeoutError:
            self._both[affinity_id].set()
        writer.close()
