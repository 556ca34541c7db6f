"""Reading the files of a configuration: as UTF-8 text, and without waiting for what nobody writes."""

import os
import select
import stat
import time
from pathlib import Path

from plano_agents.errors import ConfigError

PIPE_SECONDS = 5.0
"""How long the writer of a pipe may take."""

_PIECE = 65_536


def read_text(path: Path, way_out: str) -> str:
    """Read a file as UTF-8, with or without a byte order mark.

    Args:
        path: The file; a pipe, as a shell's ``<(…)`` is one, if something is written into it soon.
        way_out: What to do where there is no such file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file. {way_out}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: this is a directory, not a file. {way_out}") from None
    except PermissionError:
        raise ConfigError(f"{path}: permission denied. Run 'chmod u+r' on it.") from None
    except TimeoutError:
        raise ConfigError(
            f"{path}: this is a pipe, and nothing wrote all of a file into it within {PIPE_SECONDS:g} s. {way_out}"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: the file is not UTF-8. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path}: the file cannot be read ({reason}). {way_out}") from None


def _read_bytes(path: Path) -> bytes:
    if not stat.S_ISFIFO(path.stat().st_mode):
        return path.read_bytes()
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _read_pipe(pipe)
    finally:
        os.close(pipe)


def _read_pipe(pipe: int) -> bytes:
    """Read to the end of what is written into a pipe; one that nobody has opened yet is waited for."""
    deadline = time.monotonic() + PIPE_SECONDS
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    found = b""
    while (left := deadline - time.monotonic()) > 0:
        happened = poll.poll(left * 1_000)
        if not happened:
            break
        piece = os.read(pipe, _PIECE)
        if not piece:
            return found
        found += piece
    raise TimeoutError
