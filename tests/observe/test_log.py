"""Lines of the log: one for each record, none that what it tells could break, in text and in JSON."""

import io
import json
import logging
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.observe.log import (
    Event,
    Form,
    JsonFormatter,
    Paint,
    TextFormatter,
    announce,
    build_record,
    configure_log,
    escape,
    leave_plain,
    log_together,
    paint_text,
    wants_colour,
    writing_in_background,
)

HOSTILE = 'secret\n2026-01-01 ERROR root: forged\r\x1b[2J\u2028\x85\x00\x7f"\ud83d'
NOON = 1_764_158_400.25
"""2025-11-26T12:00:00.250Z."""


class Happened(Event):
    """Something that happened."""

    def render(self, paint: Paint) -> str:
        return f"it {paint('happened', 'green')}"

    def fields(self) -> Mapping[str, object]:
        return {"event": "happened", "who": HOSTILE, "count": 3}


@pytest.fixture
def _log() -> Iterator[None]:
    """Give logging back as it was."""
    root, own = logging.getLogger(), logging.getLogger("plano_agents")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], own.level = before[0], before[2]
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = True


def at_noon(record: logging.LogRecord) -> logging.LogRecord:
    record.created = NOON
    return record


def build(message: str, level: int = logging.INFO, name: str = "plano_agents.x") -> logging.LogRecord:
    return at_noon(logging.LogRecord(name, level, "f", 1, message, None, None))


def write(record: logging.LogRecord, worker: int | None = None) -> str:
    return TextFormatter(leave_plain, local_time=False, log_content=False).write(record, worker)


@given(st.text())
def test_any_text_is_escaped_to_one_printable_line(text: str) -> None:
    escaped = escape(text)
    assert escaped.isascii()
    assert escaped.isprintable() or not escaped


def test_what_went_as_it_should_has_the_time_and_nothing_else_before_it() -> None:
    assert write(build("fine")) == "2025-11-26T12:00:00.250Z  fine"


def test_a_warning_is_called_one_and_another_librarys_names_it() -> None:
    assert write(build("odd", logging.WARNING)) == "2025-11-26T12:00:00.250Z  WARNING  odd"
    assert write(build("odd", logging.ERROR, "asyncio")).endswith("Z  ERROR    asyncio:  odd")


def test_of_several_processes_the_number_is_told() -> None:
    assert write(build("fine"), worker=3) == "2025-11-26T12:00:00.250Z  w3  fine"


def test_a_terminals_reader_has_the_time_of_day() -> None:
    line = TextFormatter(leave_plain, local_time=True, log_content=False).write(build("fine"))
    assert re.fullmatch(r"\d\d:\d0:00\.250  fine", line)


def test_an_event_is_coloured_where_colours_are_wanted() -> None:
    record = build_record("plano_agents", logging.INFO, Happened())
    coloured = TextFormatter(paint_text, local_time=True, log_content=False).write(record)
    assert coloured.endswith("it \x1b[32mhappened\x1b[0m")
    assert write(record).endswith("  it happened")


@pytest.mark.parametrize(
    ("terminal", "environ", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_and_no_color_is_honoured(
    *, terminal: bool, environ: Mapping[str, str], wanted: bool
) -> None:
    assert wants_colour(is_terminal=terminal, environ=environ) is wanted


def test_json_is_one_object_with_time_level_worker_and_every_field() -> None:
    line = JsonFormatter(log_content=False).write(at_noon(build_record("plano_agents", 20, Happened())), 2)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {
        "time": "2025-11-26T12:00:00.250Z",
        "level": "info",
        "logger": "plano_agents",
        "worker": 2,
        "event": "happened",
        "who": HOSTILE,
        "count": 3,
    }


def test_a_sentence_is_a_message_in_json() -> None:
    told = json.loads(JsonFormatter(log_content=False).write(build("odd", logging.WARNING)))
    assert (told["level"], told["message"], "worker" in told) == ("warning", "odd", False)


def fail() -> None:
    raise ValueError(HOSTILE)


def build_failure() -> logging.LogRecord:
    try:
        fail()
    except ValueError:
        told = ("It failed: %s", ("a\nb",), sys.exc_info())
    return logging.LogRecord("any.library", logging.ERROR, "f", 1, *told)


def test_an_error_of_any_library_is_one_line_with_its_place() -> None:
    line = write(build_failure())
    assert "It failed: a\\nb (ValueError at " in line
    assert "test_log.py:" in line
    assert ("secret" in line, line.isprintable()) == (False, True)
    assert "secret" not in JsonFormatter(log_content=False).write(build_failure())


def test_an_errors_text_is_told_where_content_is_logged() -> None:
    line = TextFormatter(leave_plain, local_time=False, log_content=True).write(build_failure())
    assert ("secret\\n" in line, line.isprintable()) == (True, True)


@pytest.mark.usefixtures("_log")
def test_what_went_well_goes_out_and_what_did_not_goes_to_errors() -> None:
    out, err = io.StringIO(), io.StringIO()
    configure_log("info", environ={}, out=out, err=err)
    for name in ("plano_agents.x", "another"):
        logging.getLogger(name).info("well")
        logging.getLogger(name).warning("ill")
    announce("hello")
    announce("beware", logging.WARNING)
    assert re.findall(r"  (well|ill|another:  ill)\n|^(hello)$", out.getvalue(), re.MULTILINE) == [
        ("well", ""),
        ("", "hello"),
    ]
    assert err.getvalue().count("ill\n") == 2
    assert err.getvalue().endswith("\nwarning: beware\n")


@pytest.mark.usefixtures("_log")
def test_what_a_program_says_of_itself_is_told_at_any_level_and_in_any_form() -> None:
    out = io.StringIO()
    configure_log("error", "json", environ={}, out=out, err=io.StringIO())
    logging.getLogger("plano_agents").info("well")
    announce("two\nlines")
    (line,) = out.getvalue().splitlines()
    assert json.loads(line)["message"] == "two\nlines"


@pytest.mark.usefixtures("_log")
def test_a_librarys_warning_is_a_line_without_what_it_repeats() -> None:
    err = io.StringIO()
    configure_log("info", environ={}, out=io.StringIO(), err=err)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("secret", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "UserWarning at " in err.getvalue()
    assert "secret" not in err.getvalue()


@pytest.mark.usefixtures("_log")
def test_whatever_was_told_in_the_background_is_there_at_the_end_with_the_workers_number() -> None:
    out = io.StringIO()
    configure_log("info", environ={}, out=out, err=io.StringIO())
    with writing_in_background(worker=2):
        for number in range(1000):
            logging.getLogger("plano_agents").info("line %d", number)
    lines = out.getvalue().splitlines()
    assert [line.partition("  w2  line ")[2] for line in lines] == [str(number) for number in range(1000)]


class Told(Event):
    """An event that tells a text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def render(self, paint: Paint) -> str:
        return paint(escape(self._text), "bold")

    def fields(self) -> Mapping[str, object]:
        return {"text": self._text, "ms": 0.1, "none": None}


TEXTS = ("one", "two\n", "drei \x7f", "vier → 4", HOSTILE)


@pytest.mark.usefixtures("_log")
@pytest.mark.parametrize("form", ["text", "json"])
def test_events_that_are_logged_together_are_written_as_if_each_were_logged(
    form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.25)
    logger, lines = logging.getLogger("plano_agents.router"), list[list[str]]()
    for together in (True, False):
        out, err = io.StringIO(), io.StringIO()
        configure_log("info", form, environ={}, out=out, err=err)
        events = [Told(text) for text in TEXTS]
        if together:
            log_together(logger, logging.INFO, events)
            log_together(logger, logging.DEBUG, events)
        else:
            for event in events:
                logger.handle(build_record(logger.name, logging.INFO, event))
        assert not err.getvalue()
        lines.append(out.getvalue().splitlines())
    assert lines[0] == lines[1]
    assert len(lines[0]) == len(TEXTS)


def test_a_handler_of_somebody_elses_gets_a_record_for_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "plano_agents")
    log_together(logging.getLogger("plano_agents.router"), logging.INFO, [Told(text) for text in TEXTS])
    assert [str(record.msg) for record in caplog.records] == [escape(text) for text in TEXTS]
