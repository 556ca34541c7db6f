"""The one way in which this package's programs log: a line for each thing that happens, for people or for machines.

What went as it should goes to standard output, warnings and errors go to standard error. As text, a line begins with
the time (a terminal's own, elsewhere UTC) and, of several processes, the worker's number; as JSON it is one object. No
line can be broken or forged by what it tells: control characters, and what is no ASCII, are escaped as JSON has them.
Of an error only its kind and place are told, for its text may hold a prompt.

While a program serves, lines are written in the background (`writing_in_background`).
"""

import json
import logging
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, TextIO

from plano_agents.observe.line_writer import LineWriter

Form = Literal["text", "json"]
Style = Literal["bold", "dim", "red", "green", "yellow", "cyan"]
Paint = Callable[[str, Style], str]
"""Colours a text, or does not."""

_CODES: Mapping[Style, int] = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_OURS = "plano_agents"


class Event(ABC):
    """A log record with fields, beside its sentence: pass it to a logger as the message."""

    has_head = True
    """Whether, as text, the time and the level stand before it."""

    @abstractmethod
    def render(self, paint: Paint) -> str:
        """Write it as text."""

    @abstractmethod
    def fields(self) -> Mapping[str, object]:
        """Give what JSON tells of it."""

    def __str__(self) -> str:
        return self.render(leave_plain)


class Announcement(Event):
    """A program's notice about itself.

    Args:
        text: Some lines.
        prefix: What stands before them, as text.
    """

    has_head = False

    def __init__(self, text: str, prefix: str = "") -> None:
        self._text = text
        self._prefix = prefix

    def render(self, paint: Paint) -> str:
        """See `Event.render`."""
        del paint
        return self._prefix + self._text

    def fields(self) -> Mapping[str, object]:
        """See `Event.fields`."""
        return {"message": self._text}


def configure_log(
    level: str = "warning",
    form: Form = "text",
    *,
    log_content: bool = False,
    environ: Mapping[str, str],
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> None:
    """Have every record written as one line; other libraries' from warnings on.

    Args:
        level: The least severe of our own lines to log.
        form: For people, or for machines.
        log_content: Whether an error's text is told too.
        environ: NO_COLOR, FORCE_COLOR and TERM are read from it.
        out: Takes what went as it should; standard output if not given.
        err: Takes warnings and errors; standard error if not given.
    """
    out, err = out or sys.stdout, err or sys.stderr
    handlers = [_LineHandler(stream, form, environ, log_content=log_content) for stream in (out, err)]
    handlers[0].addFilter(lambda record: record.levelno < logging.WARNING)
    handlers[1].setLevel(logging.WARNING)
    own = getattr(logging, level.upper())
    logging.basicConfig(handlers=handlers, level=max(own, logging.WARNING), force=True)
    logging.getLogger(_OURS).setLevel(own)
    logging.captureWarnings(capture=True)
    # None of this is told, and looking it up costs a third of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def announce(text: str, level: int = logging.INFO) -> None:
    """Say something of the program itself, whatever the least level is.

    Args:
        text: Some lines.
        level: Where it goes, and what it is called there.
    """
    prefix = f"{logging.getLevelName(level).lower()}: " if level >= logging.WARNING else ""
    record = build_record(_OURS, level, Announcement(text, prefix))
    for handler in _list_handlers():
        if record.levelno >= handler.level:
            handler.handle(record)


def build_record(name: str, level: int, event: Event) -> logging.LogRecord:
    """Make a record without asking where in the code that is, which is half of what one costs."""
    return logging.LogRecord(name, level, "", 0, event, None, None)


@contextmanager
def writing_in_background(worker: int | None = None) -> Iterator[None]:
    """Have a thread write what is logged; at the end all of it is written.

    Args:
        worker: Which of several processes this is.
    """
    handlers = _list_handlers()
    for handler in handlers:
        handler.worker = worker
        handler.writer.start()
    try:
        yield
    finally:
        for handler in handlers:
            handler.writer.stop()


class _LineHandler(logging.Handler):
    """Writes records to a stream.

    Args:
        stream: Where to.
        form: For people, or for machines.
        environ: Says whether colours are wanted.
        log_content: Whether an error's text is told too.
    """

    def __init__(self, stream: TextIO, form: Form, environ: Mapping[str, str], *, log_content: bool) -> None:
        super().__init__()
        self.writer = LineWriter(stream, self._describe_drop)
        self.worker: int | None = None
        in_colour = wants_colour(is_terminal=stream.isatty(), environ=environ)
        paint = paint_text if in_colour else leave_plain
        self._format: Callable[[logging.LogRecord, int | None], str] = (
            JsonFormatter(log_content=log_content).write
            if form == "json"
            else TextFormatter(paint, local_time=in_colour or stream.isatty(), log_content=log_content).write
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.writer.write(f"{self._format(record, self.worker)}\n")
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def _describe_drop(self, count: int) -> str:
        what = f"{count} lines dropped, for nobody read them in time"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, what, None, None)
        return f"{self._format(record, self.worker)}\n"


def _list_handlers() -> list[_LineHandler]:
    return [each for each in logging.getLogger().handlers if isinstance(each, _LineHandler)]


class TextFormatter:
    """Writes records for people.

    Args:
        paint: Colours, or does not.
        local_time: Whether a line has this place's time of day, as a terminal's reader wants it, or UTC with the date.
        log_content: Whether an error's text is told too.
    """

    def __init__(self, paint: Paint, *, local_time: bool, log_content: bool) -> None:
        self._paint = paint
        self._times = _Times(local=local_time)
        self._log_content = log_content

    def write(self, record: logging.LogRecord, worker: int | None = None) -> str:
        """Write a record, of whatever library, as one line.

        Args:
            record: What to tell.
            worker: Which of several processes this is.
        """
        event = record.msg
        if isinstance(event, Event) and not event.has_head:
            return event.render(self._paint)
        text = event.render(self._paint) if isinstance(event, Event) else escape(tell(record, self._log_content))
        parts = [self._paint(self._times.write(record.created), "dim")]
        if worker is not None:
            parts.append(f"w{worker}")
        if record.levelno != logging.INFO:
            parts.append(self._paint(f"{record.levelname:<7}", _colour(record.levelno)))
        if not record.name.startswith(_OURS):
            parts.append(f"{record.name}:")
        return "  ".join([*parts, text])


class JsonFormatter:
    """Writes records for machines: one object with ``time`` (ISO 8601, UTC), ``level``, ``logger``, and what is told.

    Args:
        log_content: Whether an error's text is told too.
    """

    def __init__(self, *, log_content: bool) -> None:
        self._log_content = log_content
        self._times = _Times(local=False)
        self._encode = json.JSONEncoder(separators=(",", ":"), default=str).encode

    def write(self, record: logging.LogRecord, worker: int | None = None) -> str:
        """See `TextFormatter.write`."""
        told: dict[str, object] = {
            "time": self._times.write(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if worker is not None:
            told["worker"] = worker
        event = record.msg
        told |= event.fields() if isinstance(event, Event) else {"message": tell(record, self._log_content)}
        return self._encode(told)


class _Times:
    """Writes times to the millisecond; the date and the second are written anew only where they are others.

    Args:
        local: Whether to write this place's time of day, or UTC with the date (ISO 8601).
    """

    def __init__(self, *, local: bool) -> None:
        self._local = local
        self._written = (-1, "")

    def write(self, seconds: float) -> str:
        """Write a Unix time."""
        whole = int(seconds)
        if whole != self._written[0]:
            zone, form = (None, "%H:%M:%S") if self._local else (UTC, "%Y-%m-%dT%H:%M:%S")
            self._written = (whole, datetime.fromtimestamp(whole, zone).strftime(form))
        return f"{self._written[1]}.{int((seconds - whole) * 1000):03d}{'' if self._local else 'Z'}"


def wants_colour(*, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether to colour: by https://no-color.org, then https://force-color.org, then as the stream is a terminal."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (is_terminal and environ.get("TERM") != "dumb")


def paint_text(text: str, style: Style) -> str:
    """Colour a text for a terminal."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def leave_plain(text: str, _style: Style) -> str:
    """Leave a text as it is."""
    return text


def tell(record: logging.LogRecord, log_content: bool) -> str:  # noqa: FBT001 - its name says it
    """Say what a record says; of an error its kind and place, and its text only where content is told."""
    if record.name == "py.warnings" and not log_content:
        # A warning may repeat what was said, as pydantic's do.
        place, kind = (*record.getMessage().split(": ", 2), "", "")[:2]
        return f"{kind} at {place}"
    line = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        line += f" ({locate(error)}" + (f": {error})" if log_content else ")")
    return line


def escape(text: str) -> str:
    """Write control characters, and what is no ASCII, as JSON does; quotes stay."""
    if text.isascii() and text.isprintable():
        return text
    return json.dumps(text)[1:-1].replace('\\"', '"').replace("\x7f", "\\u007f")


def quote(text: object) -> str:
    """Write a value as a JSON string in ASCII."""
    return json.dumps(str(text)).replace("\x7f", "\\u007f")


def locate(error: BaseException) -> str:
    """Name an error's kind, and where it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _colour(level: int) -> Style:
    return "red" if level >= logging.ERROR else "yellow" if level >= logging.WARNING else "dim"
