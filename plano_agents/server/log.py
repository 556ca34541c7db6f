"""The agent server's log: a line for each run, and no line that a prompt or a tool could break or forge.

Every value that came from outside is written as JSON in ASCII, so that a line feed, an escape sequence or half a
character is told as such. What was said (prompts, answers, tool results) is logged only where that is asked for.
"""

import json
import logging
import traceback
from collections.abc import Callable, Sequence

from langchain_core.messages import AnyMessage

from plano_agents.server.events import Answer, Event, ToolResult

_log = logging.getLogger("plano_agents.server")


class OneLineFormatter(logging.Formatter):
    """Writes any record, of whatever library, as one line; of an error its kind and place, for its text may be said.

    Args:
        log_content: Whether an error's text is told too.
    """

    def __init__(self, *, log_content: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._log_content = log_content

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        record.exc_text = record.stack_info = None
        error, record.exc_info = record.exc_info, None
        if record.name == "py.warnings" and not self._log_content:
            # A warning may repeat what was said, as pydantic's do.
            place, kind = (*record.getMessage().split(": ", 2), "", "")[:2]
            record.msg, record.args = f"{kind} at {place}", ()
        line = super().format(record)
        if error and error[1] is not None:
            line += f" ({locate(error[1])}"
            line += f": {error[1]})" if self._log_content else ")"
        return escape(line)


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


class RunLog:
    """Tells the log of one run.

    Args:
        run_id: The run.
        thread_id: Its thread.
        owner: Whose it is.
        affinity_id: What its model calls carry.
        log_content: Whether what is said is logged.
        clock: Seconds on a clock that never goes back.
    """

    def __init__(
        self,
        run_id: str,
        *,
        thread_id: str | None,
        owner: str,
        affinity_id: str,
        log_content: bool,
        clock: Callable[[], float],
    ) -> None:
        self._head = f"run {run_id}"
        self._ids = f"affinity={quote(affinity_id)}"
        self._ids += f" thread={quote(thread_id)}" if thread_id is not None else ""
        self._ids += f" key={quote(owner)}" if owner else ""
        self._log_content = log_content
        self._clock = clock
        self._began = clock()
        self.answer: Answer | None = None
        """What the run came to, once it has."""

    def begin(self, messages: Sequence[AnyMessage]) -> None:
        """A run begins."""
        if self._log_content:
            said = " | ".join(f"{message.type}: {message.text}" for message in messages)
            _log.info("%s input=%s", self._head, quote(said))

    def event(self, event: Event) -> None:
        """Something happened; what tools said is told."""
        if self._log_content and isinstance(event, ToolResult):
            arguments = quote(dict(event.arguments))
            _log.info(
                "%s tool=%s arguments=%s result=%s",
                self._head,
                quote(event.name),
                arguments,
                quote(event.result),
            )

    def done(self, answer: Answer) -> None:
        """A run has come to its answer."""
        self.answer = answer
        models = sorted({turn.model or "unknown" for turn in answer.turns})
        _log.info(
            "%s done %s turns=%d models=%s switches=%d input_tokens=%d output_tokens=%d duration_ms=%d",
            self._head,
            self._ids,
            len(answer.turns),
            quote(",".join(models)),
            answer.switches,
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            round(self.seconds * 1000),
        )
        if self._log_content:
            _log.info("%s output=%s", self._head, quote(answer.output))

    def cancelled(self) -> None:
        """A run was cancelled: its client left, its time was over, or the server stops."""
        _log.info("%s cancelled %s duration_ms=%d", self._head, self._ids, round(self.seconds * 1000))

    @property
    def seconds(self) -> float:
        """How long ago the run began."""
        return self._clock() - self._began
