"""Secrets in files of their own, as orchestrators mount them: reading them, and noticing that one has changed."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from plano_agents.config.files import read_text

LOOK_SECONDS = 1.0
"""How long after a look at the files the next one is due."""


class Stamp(NamedTuple):
    """The state of a file, which differs once it was written or replaced."""

    modified: int
    """When it was written, in nanoseconds."""
    size: int
    """Its size in bytes."""
    inode: int
    """Its number: a file that was put in its place has another."""


Stamps = Mapping[Path, Stamp | None]
"""The state of each file; None for one that cannot be looked at."""


class SecretFiles:
    """Reads the files that settings name.

    Args:
        folder: Where the settings lie; paths are relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.stamps: dict[Path, Stamp | None] = {}
        """The files that were read, each as it was before."""

    def read(self, name: str) -> str:
        """Read a secret, without the line end that editors add.

        Raises:
            ConfigError: The file cannot be read.
        """
        path = self._folder / name
        self.stamps.setdefault(path, find_stamp(path))
        return read_text(path, "Write the secret into it.").rstrip("\r\n")


class SecretChanges:
    """Notices that files with secrets have changed, once nothing writes to them any more.

    Args:
        stamps: The files, as they were read.
        clock: Monotonic time in seconds.
    """

    def __init__(self, stamps: Stamps, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known = dict(stamps)
        self._seen = self._known
        self._due_at = clock()

    def follow(self, stamps: Stamps) -> None:
        """Look at these files from now on, as they were read."""
        self._known = self._seen = dict(stamps)

    def look(self) -> bool:
        """Say whether a file differs from what was read, and not from what it was at the look before.

        Each change is told once.
        """
        if not self._known or self._clock() < self._due_at:
            return False
        self._due_at = self._clock() + LOOK_SECONDS
        before, self._seen = self._seen, {path: find_stamp(path) for path in self._known}
        if self._seen == self._known or self._seen != before:
            return False
        self._known = self._seen
        return True


def find_stamp(path: Path) -> Stamp | None:
    """Look at a file, or at what a link of its name leads to."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_mtime_ns, found.st_size, found.st_ino)
