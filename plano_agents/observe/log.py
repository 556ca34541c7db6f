"""The one way in which this package's programs log: a line for each thing that happens, for people or for machines.

What went as it should goes to standard output, warnings and errors go to standard error. As text, a line begins with
the time (a terminal's own, elsewhere UTC) and, of several processes, the worker's number; as JSON it is one object. No
line can be broken or forged by what it tells: control characters, and what is not ASCII, are escaped as JSON has them.
Of an error only its kind and place are told, for its text may hold a prompt; at level ``debug``, and where content is
logged, a field ``error`` has its text and its traceback too (`describe_error`).

While a program serves, lines are written in the background (`writing_in_background`).
"""

import json
import logging
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
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

MAX_CAUSES = 5
"""How many errors are told of one that came of another, that of another, and so on."""

MAX_PLACES = 30
"""How many places in the code are told of one error: the innermost."""

MAX_TEXT = 2_000
"""How many characters of an error's text are told."""


class Event(ABC):
    """A log record with fields, beside its sentence: pass it to a logger as the message."""

    __slots__ = ()

    has_head = True
    """True if text lines begin with the time and the level."""

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


class Fault(Event):
    """An error of somebody else's code, and what it came to; its text is told only where an error's text is.

    Args:
        text: What it came to, without control characters.
        error: The error.
    """

    def __init__(self, text: str, error: BaseException) -> None:
        self._text = text
        self.error = error
        """The error; not passed on as ``exc_info``, for other handlers would write its text."""

    def render(self, paint: Paint) -> str:
        """See `Event.render`."""
        del paint
        return f"{self._text} ({escape(locate(self.error))})"

    def fields(self) -> Mapping[str, object]:
        """See `Event.fields`."""
        return {"message": self.render(leave_plain)}


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
        level: The lowest level of our own lines to log.
        form: For people, or for machines.
        log_content: Whether an error's text and traceback are told too, as they are at level ``debug``.
        environ: NO_COLOR, FORCE_COLOR and TERM are read from it.
        out: Takes what went as it should; standard output if not given.
        err: Takes warnings and errors; standard error if not given.
    """
    out, err = out or sys.stdout, err or sys.stderr
    own = getattr(logging, level.upper())
    log_content = log_content or own <= logging.DEBUG
    handlers = [_LineHandler(stream, form, environ, log_content=log_content) for stream in (out, err)]
    handlers[0].addFilter(lambda record: record.levelno < logging.WARNING)
    handlers[1].setLevel(logging.WARNING)
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


def log_together(logger: logging.Logger, level: int, events: Sequence[Event]) -> None:
    """Log events as a record for each would be logged; handlers of ours write them together, at a fifth of the cost.

    Args:
        logger: Whose they are.
        level: The level of each.
        events: None of them is a `Fault`.
    """
    if not events or not logger.isEnabledFor(level):
        return
    handlers, place = list[logging.Handler](), logger
    while place is not None:
        handlers += place.handlers
        place = place.parent if place.propagate else None  # type: ignore[assignment] # the root has no parent
    record = build_record(logger.name, level, events[0])
    ours = [each for each in handlers if isinstance(each, _LineHandler)]
    if logger.filters or logger.disabled or len(ours) < len(handlers) or not handlers:
        for event in events:
            logger.handle(build_record(logger.name, level, event))
        return
    for handler in ours:
        if level >= handler.level and handler.filter(record):
            handler.write_all(record, events)


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
        log_content: Whether an error's text and traceback are told too.
    """

    def __init__(self, stream: TextIO, form: Form, environ: Mapping[str, str], *, log_content: bool) -> None:
        super().__init__()
        self.writer = LineWriter(stream, self._describe_drop)
        self.worker: int | None = None
        in_colour = wants_colour(is_terminal=stream.isatty(), environ=environ)
        paint = paint_text if in_colour else leave_plain
        self._formatter: JsonFormatter | TextFormatter = (
            JsonFormatter(log_content=log_content)
            if form == "json"
            else TextFormatter(paint, local_time=in_colour or stream.isatty(), log_content=log_content)
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            self.writer.write(f"{self._formatter.write(record, self.worker)}\n")
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def write_all(self, record: logging.LogRecord, events: Sequence[Event]) -> None:
        """Write events as records that differ from one in nothing but their event."""
        try:
            self.writer.write_all(self._formatter.write_all(record, events, self.worker))
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)

    def _describe_drop(self, count: int) -> str:
        what = f"{count} lines dropped, for nobody read them in time"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, what, None, None)
        return f"{self._formatter.write(record, self.worker)}\n"


def _list_handlers() -> list[_LineHandler]:
    return [each for each in logging.getLogger().handlers if isinstance(each, _LineHandler)]


class TextFormatter:
    """Writes records for people.

    Args:
        paint: Colours, or does not.
        local_time: Whether a line has this place's time of day, as a terminal's reader wants it, or UTC with the date.
        log_content: Whether an error's text and traceback are told too.
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
        if self._log_content and (error := find_error(record)) is not None:
            text += f" error={json.dumps(describe_error(error))}".replace("\x7f", "\\u007f")
        return f"{self._begin(record, worker)}{text}"

    def write_all(self, record: logging.LogRecord, events: Sequence[Event], worker: int | None = None) -> list[str]:
        """Write events, none of them a `Fault`, as lines with their ends.

        Args:
            record: What they have in common.
            events: What to tell.
            worker: Which of several processes this is.
        """
        begin, paint = self._begin(record, worker), self._paint
        return [f"{begin if event.has_head else ''}{event.render(paint)}\n" for event in events]

    def _begin(self, record: logging.LogRecord, worker: int | None) -> str:
        """Write what stands before a line's text."""
        parts = [self._paint(self._times.write(record.created), "dim")]
        if worker is not None:
            parts.append(f"w{worker}")
        if record.levelno != logging.INFO:
            parts.append(self._paint(f"{record.levelname:<7}", _colour(record.levelno)))
        if not record.name.startswith(_OURS):
            parts.append(f"{record.name}:")
        return "  ".join([*parts, ""])


class JsonFormatter:
    """Writes records for machines: one object with ``time`` (ISO 8601, UTC), ``level``, ``logger``, and what is told.

    Args:
        log_content: Whether an error's text and traceback are told too.
    """

    def __init__(self, *, log_content: bool) -> None:
        self._log_content = log_content
        self._times = _Times(local=False)
        self._encode = json.JSONEncoder(separators=(",", ":"), default=str).encode

    def write(self, record: logging.LogRecord, worker: int | None = None) -> str:
        """See `TextFormatter.write`."""
        told = self._begin(record, worker)
        event = record.msg
        told |= event.fields() if isinstance(event, Event) else {"message": tell(record, self._log_content)}
        if self._log_content and (error := find_error(record)) is not None:
            told["error"] = describe_error(error)
        return self._encode(told)

    def write_all(self, record: logging.LogRecord, events: Sequence[Event], worker: int | None = None) -> list[str]:
        """See `TextFormatter.write_all`."""
        begin = self._begin(record, worker)
        return [f"{self._encode_together({**begin, **event.fields()})}\n" for event in events]

    def _encode_together(self, told: dict[str, object]) -> str:
        """Write an object as `_encode` does, where it is ASCII at a tenth of the cost."""
        from msgspec.json import encode  # noqa: PLC0415 - an extra's, which those programs have that log together

        try:
            written = encode(told)
        except UnicodeEncodeError:  # half of a surrogate pair
            return self._encode(told)
        return written.decode() if written.isascii() and b"\x7f" not in written else self._encode(told)

    def _begin(self, record: logging.LogRecord, worker: int | None) -> dict[str, object]:
        """Give what is told of every record."""
        told: dict[str, object] = {
            "time": self._times.write(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        return told if worker is None else {**told, "worker": worker}


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
    """Decide whether to colour: https://no-color.org, then https://force-color.org, then whether it is a terminal."""
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
    """Say what a record says; an error's kind and place."""
    if record.name == "py.warnings" and not log_content:
        # A warning may repeat what was said, as pydantic's do.
        place, kind = (*record.getMessage().split(": ", 2), "", "")[:2]
        return f"{kind} at {place}"
    line = record.getMessage()
    error = find_error(record)
    return line if error is None else f"{line} ({locate(error)})"


def find_error(record: logging.LogRecord) -> BaseException | None:
    """Find the error that a record was logged with; None where there is none."""
    if isinstance(record.msg, Fault):
        return record.msg.error
    return record.exc_info[1] if record.exc_info else None


def describe_error(error: BaseException) -> dict[str, object]:
    """Describe an error as JSON has it.

    Returns:
        Its ``type`` and ``message``; ``at``, the places in the code that it came through, the innermost first, each
        ``file:line in function``; and ``cause``, the error that it was raised from or while handling, described alike.
    """
    first: dict[str, object] = {}
    told, seen = first, set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen and len(seen) < MAX_CAUSES:
        seen.add(id(found))
        frames = traceback.extract_tb(found.__traceback__)[::-1]
        places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames[:MAX_PLACES]]
        told |= {"type": type(found).__name__, "message": _read_text(found), "at": places}
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
        if found is not None and id(found) not in seen and len(seen) < MAX_CAUSES:
            cause: dict[str, object] = {}
            told["cause"] = cause
            told = cause
    return first


def _read_text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - an error of somebody else's, whose own code may fail
        return ""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def escape(text: str) -> str:
    """Write control characters, and what is not ASCII, as JSON does; quotes stay."""
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
