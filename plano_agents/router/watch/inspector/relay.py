"""One history for several workers: a process of its own remembers; workers send it their requests and questions.

The system spreads connections over the workers, so one session's turns are served by many, and whichever worker is
asked for the page knows a part of them. Each therefore sends its records, gathered for a moment, over a Unix socket in
a directory that only this user may open, and passes questions on to where the answers are. When the socket does not
take them the oldest records are dropped; no request waits for it.

On the wire a frame is four bytes of length, in network order, and MessagePack. A worker's connection carries `Batch`
after `Batch`; a question's carries one `Question`, and back come a `Head`, the body's pieces, and an empty frame: an
end without it is a break.
"""

import asyncio
import os
import socket
import tempfile
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from starlette.types import Message

from plano_agents.errors import InspectorUnavailableError, PlanoError
from plano_agents.http.server.departure import while_connected
from plano_agents.protocol.openai_chat import encode_error
from plano_agents.router.request.answer import Answer, Pieces, StreamBrokenError, answer_error, closing
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.inspector.answers import OwnInspector
from plano_agents.router.watch.inspector.record import GhostNews, Record, build_record, price
from plano_agents.router.watch.inspector.seam import Question
from plano_agents.routing.candidates import ModelMetrics

MAX_PENDING = 5_000
"""How many records a worker holds until they are sent."""

GATHER_SECONDS = 0.1
"""How long records are gathered before they are sent together."""

RETRY_SECONDS = 1.0
"""When a socket that did not answer is tried again."""

ANSWER_SECONDS = 5.0
"""How long the beginning of an answer may take."""

MAX_FOLDER_BYTES = 60
"""How long the path of a folder may be in which the socket's own folder is made."""

_LENGTH_BYTES = 4


class Batch(msgspec.Struct, frozen=True, tag=True):
    """The news of a worker."""

    records: list[Record]
    """The requests that ended."""
    violations: int
    """How many promises were broken."""
    ghosts: list[GhostNews] = []
    """The ghosts that were found."""


class Head(msgspec.Struct, frozen=True):
    """The beginning of an answer."""

    status: int
    """The HTTP status."""
    headers: dict[str, str]
    """Names in lower case."""


_decode = msgspec.msgpack.Decoder(Batch | Question).decode
_encode = msgspec.msgpack.encode


@contextmanager
def open_socket() -> Iterator[socket.socket]:
    """A listening Unix socket that only this user reaches; its file is gone at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="plano-agents-inspector-", dir=_choose_folder()) as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
    ):
        listener.bind(str(Path(folder) / "socket"))
        listener.listen()
        yield listener


def _choose_folder() -> str:
    """The folder of temporary files, unless a socket's path, of some 100 bytes at most, would not fit there."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= MAX_FOLDER_BYTES else "/tmp"  # noqa: S108 - the folder in it is ours alone


class RelayedInspector:
    """A worker's end.

    Args:
        path: The socket of the process that remembers.
        workers: How many send it their requests.
    """

    def __init__(self, path: str, workers: int) -> None:
        self._path = path
        self.workers = workers
        self._pending: deque[Record] = deque(maxlen=MAX_PENDING)
        self._ghosts: deque[GhostNews] = deque(maxlen=MAX_PENDING)
        self._violations = 0
        self._wake = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    def keep(self, trails: Sequence[Trail], prices: Mapping[str, ModelMetrics]) -> None:
        """Send requests' records, in a moment."""
        self._pending.extend([build_record(each, price(each, prices)) for each in trails])
        self._begin()

    def keep_ghost(self, news: GhostNews) -> None:
        """Send a request's ghost, in a moment; its record goes before it."""
        self._ghosts.append(news)
        self._begin()

    def count_violation(self) -> None:
        """Send word of a broken promise, in a moment."""
        self._violations += 1
        self._begin()

    async def ask(self, question: Question) -> Answer:
        """Pass a question on.

        Raises:
            InspectorUnavailableError: Nobody answers.
        """
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._path)
                writer.write(_frame(_encode(question)))
                head = msgspec.msgpack.decode(await _read(reader), type=Head)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            if writer is not None:
                writer.close()
            raise InspectorUnavailableError(
                "The inspector's process does not answer; it is restarted if it has ended. Try again in a moment."
            ) from error
        return Answer(head.status, head.headers, Pieces(_read_pieces(reader, writer)))

    def close(self) -> None:
        """Send nothing any more; streams end where they come from."""
        if self._sending is not None:
            self._sending.cancel()
        self._hang_up()

    def _begin(self) -> None:
        if not self._wake.is_set():
            self._wake.set()
            if self._sending is None:
                self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            try:
                await self._send_batch()
            except OSError:
                self._hang_up()
                self._wake.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _send_batch(self) -> None:
        if self._writer is None:
            _, self._writer = await asyncio.open_unix_connection(self._path)
        batch = Batch(list(self._pending), self._violations, list(self._ghosts))
        self._pending.clear()
        self._ghosts.clear()
        self._violations = 0
        self._writer.write(_frame(_encode(batch)))
        await self._writer.drain()

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class Rememberer:
    """The other end: remembers for all workers.

    Args:
        inspector: Remembers.
    """

    def __init__(self, inspector: OwnInspector) -> None:
        self._inspector = inspector

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a worker."""
        try:
            # Cancelled is what it is when this process ends; streams before Python 3.12 log that as a failure.
            with suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
                while isinstance(said := _decode(await _read(reader)), Batch):
                    for record in said.records:
                        self._inspector.keep_record(record)
                    for news in said.ghosts:
                        self._inspector.keep_ghost(news)
                    for _ in range(said.violations):
                        self._inspector.count_violation()
                await self._answer(said, reader, writer)
        finally:
            writer.close()

    async def _answer(self, question: Question, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._inspector.ask(question)
        except PlanoError as error:
            answer = answer_error(error, None, encode_error)

        async def receive() -> Message:
            await reader.read(1)
            return {"type": "http.disconnect"}

        async with closing(answer):
            await while_connected(receive, _write(writer, answer))


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    def write(piece: bytes) -> bool:
        writer.write(_frame(piece))
        return False

    write(_encode(Head(answer.status, dict(answer.headers))))
    if isinstance(answer.body, bytes):
        write(answer.body)
    else:
        while (last := await answer.body.forward(write)) is None:
            await writer.drain()
        if last:
            write(last)
    write(b"")
    await writer.drain()


async def _read_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncGenerator[bytes, None]:
    try:
        while piece := await _read(reader):
            yield piece
    except (asyncio.IncompleteReadError, OSError) as error:
        raise StreamBrokenError from error
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
    return await reader.readexactly(length)


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES) + content
