"""A TCP proxy that breaks what passes through it: slices it, delays it, and ends it after so many bytes.

It knows bytes and connections, nothing of HTTP. Each connection takes the next `Fault` of each direction, so that a
test says in advance, byte by byte, what happens to which connection.
"""

import asyncio
import itertools
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from plano_agents import processes

PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in one direction of a connection; by default none."""

    slice_bytes: int = PIECE_BYTES
    """How many bytes are passed on at a time, each time as a write of its own."""
    delay_seconds: float = 0.0
    """The wait before each of them."""
    cut_after: int | None = None
    """After how many bytes the ending comes; None for never."""
    ending: Literal["close", "reset", "hang"] = "close"
    """An orderly end of the connection, a reset of it, or nothing at all any more."""


INTACT = Fault()


class FaultProxy:
    """A proxy on a port of its own, for as long as its context is open.

    Args:
        target: Where connections go, as a URL.
        requests: Faults of what clients send, one per connection, in order; after the last, none.
        answers: The same of what they get.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        target: str,
        *,
        requests: Iterable[Fault] = (),
        answers: Iterable[Fault] = (),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._target = urlsplit(target)
        self._requests = itertools.chain(requests, itertools.repeat(INTACT))
        self._answers = itertools.chain(answers, itertools.repeat(INTACT))
        self._sleep = sleep
        self._connections: set[asyncio.Task[None]] = set()
        self.url = ""
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2048)
        self.url = processes.url_of(self._server.sockets[0])
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        await asyncio.sleep(0)  # what was accepted last begins
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        request, answer = next(self._requests), next(self._answers)
        try:
            ahead, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        except (OSError, asyncio.CancelledError):  # asyncio's server reports a cancelled handler as an error
            writer.close()
            return
        directions = {
            asyncio.create_task(self._pass(reader, back, request)),
            asyncio.create_task(self._pass(ahead, writer, answer)),
        }
        try:
            done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            if any(direction.result() == "reset" for direction in done):
                _reset(writer)
                _reset(back)
        except asyncio.CancelledError:
            pass  # see above
        finally:
            for direction in directions:
                direction.cancel()
            writer.close()
            back.close()
            with suppress(asyncio.CancelledError):  # see above
                await asyncio.wait(directions)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> str:
        """Pass one direction on to its end; say how it ends."""
        left = fault.cut_after
        with suppress(ConnectionError):
            while left is None or left > 0:
                data = await reader.read(fault.slice_bytes if left is None else min(fault.slice_bytes, left))
                if not data:
                    return "close"
                if fault.delay_seconds:
                    await self._sleep(fault.delay_seconds)
                writer.write(data)
                await writer.drain()
                left = left if left is None else left - len(data)
            if fault.ending == "hang":
                await asyncio.Event().wait()
            return fault.ending
        return "reset"


def _reset(writer: asyncio.StreamWriter) -> None:
    """Make the system send a reset instead of an orderly end."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
