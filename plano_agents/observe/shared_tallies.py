"""The tallies of several processes that serve one port: each writes its own to a file that the others can read.

A file is written over in one call and bears a checksum, so that half of one is seen and read again: replacing it would
be one step too, but costs a flush to the disk (1.3 ms on ext4, where this costs 10 µs). What a process counted outlives
it, for a sum that falls looks to Prometheus like a restart. Adding them up is left to ``exposition``.
"""

import asyncio
import os
import secrets
import struct
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

import msgspec
from msgspec import Struct

from plano_agents.observe.tally import Labels, Tally

WRITE_SECONDS = 0.1
"""How old what the others are told may be."""


class Snapshot(Struct, frozen=True):
    """The numbers of one process."""

    pid: int
    """Which."""
    series: Mapping[str, Sequence[tuple[Labels, Sequence[float]]]]
    """By the tally's name, what it reads."""

    @property
    def is_live(self) -> bool:
        """True if the process still runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


READ_TRIES = 100
"""How often a file that is being written is read."""

_HEAD = struct.Struct("<II")
"""Stands before the content: its length and its checksum."""
_DECODER = msgspec.json.Decoder(Snapshot)


class SharedTallies:
    """One process's side of the directory.

    Args:
        directory: Where the files are.
        tallies: What this process counts.
    """

    def __init__(self, directory: Path, tallies: Sequence[Tally]) -> None:
        self._directory = directory
        self._tallies = tallies
        # A process that takes an ended one's id must not take its counts.
        self._path = directory / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        self._written = b""

    def write(self) -> None:
        """Tell the others; a disk that cannot be written must not stop the service."""
        series = {tally.name: list(tally.read().items()) for tally in self._tallies}
        content = msgspec.json.encode(Snapshot(os.getpid(), series))
        if content == self._written:
            return
        with suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(file, _HEAD.pack(len(content), crc32(content)) + content)
            finally:
                os.close(file)
            self._written = content

    def read_others(self) -> list[Snapshot]:
        """Read what the others told last."""
        found = []
        for path in sorted(self._directory.glob("*.json")):
            if path != self._path:
                snapshot = _read(path)
                found += [snapshot] if snapshot is not None else []
        return found

    async def keep_writing(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Tell the others again and again, until cancelled."""
        while True:
            self.write()
            await sleep(WRITE_SECONDS)


def _read(path: Path) -> Snapshot | None:
    """Read a file, again where it is just being written; None for one that was left half written."""
    for _ in range(READ_TRIES):
        content = path.read_bytes()
        if len(content) < _HEAD.size:
            continue
        length, checksum = _HEAD.unpack_from(content)
        content = content[_HEAD.size : _HEAD.size + length]
        if crc32(content) == checksum:
            return _DECODER.decode(content)
    return None


@contextmanager
def shared_directory() -> Iterator[Path]:
    """A fresh directory for several processes' tallies; it is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="plano-agents-metrics-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
