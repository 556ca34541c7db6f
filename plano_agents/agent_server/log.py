"""The agent server's run log: a line for each run, which no prompt or tool can break or forge.

Every value that came from outside is written as JSON in ASCII, so that a line feed, an escape sequence or half a
character is told as such. What was said (prompts, answers, tool results) is logged only where that is asked for. How
lines are written is ``observe.log``'s business.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

from langchain_core.messages import AnyMessage

from plano_agents.agent_server.events import Answer, ModelCall, ToolResult
from plano_agents.agent_server.events import Event as Happening
from plano_agents.observe.log import Event, Fault, Paint, quote

_log = logging.getLogger("plano_agents.agent_server")


class RunEnded(Event):
    """A run that is over.

    Args:
        run_id: The run.
        how: What became of it.
        known: What is known of it, in the order in which it is told.
    """

    def __init__(self, run_id: str, how: str, known: Mapping[str, str | int]) -> None:
        self._run_id = run_id
        self._how = how
        self._known = known

    def render(self, paint: Paint) -> str:
        """See `Event.render`."""
        told = [f"{name}={quote(value) if isinstance(value, str) else value}" for name, value in self._known.items()]
        return " ".join([f"run {self._run_id}", paint(self._how, "green" if self._how == "done" else "yellow"), *told])

    def fields(self) -> Mapping[str, object]:
        """See `Event.fields`."""
        return {"event": "run", "run_id": self._run_id, "outcome": self._how, **self._known}


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
        self._run_id = run_id
        self._head = f"run {run_id}"
        self._ids: dict[str, str | int] = {"affinity": affinity_id}
        self._ids |= {"thread": thread_id} if thread_id is not None else {}
        self._ids |= {"key": owner} if owner else {}
        self._log_content = log_content
        self._clock = clock
        self._began = clock()
        self.answer: Answer | None = None
        """What the run came to, once it has."""

    def begin(self, messages: Sequence[AnyMessage]) -> None:
        """A run begins."""
        if _log.isEnabledFor(logging.DEBUG):
            ids = [f"{name}={quote(value)}" for name, value in self._ids.items()]
            _log.debug("%s", " ".join([self._head, "began", *ids, f"messages={len(messages)}"]))
        if self._log_content:
            said = " | ".join(f"{message.type}: {message.text}" for message in messages)
            _log.info("%s input=%s", self._head, quote(said))

    def event(self, event: Happening) -> None:
        """Something happened: tools that failed are told, every call at level ``debug``, contents where asked for."""
        match event:
            case ToolResult(error=BaseException() as error):
                _log.warning(Fault(f"{self._head} tool={quote(event.name)} failed", error))
            case ToolResult() if not self._log_content:
                _log.debug("%s turn=%d tool=%s answered", self._head, event.turn, quote(event.name))
            case ModelCall():
                told = {"model": event.model, "route": event.route, "decision": event.decision, "reason": event.reason}
                known = [f"{name}={quote(value)}" for name, value in told.items() if value is not None]
                known.append(f"tools={quote(','.join(event.tool_calls))} duration_ms={event.duration_ms}")
                _log.debug("%s turn=%d %s", self._head, event.turn, " ".join(known))
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
        models = sorted({call.model or "unknown" for call in answer.turns})
        known: dict[str, str | int] = {
            "turns": len(answer.turns),
            "models": ",".join(models),
            "switches": answer.switches,
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        }
        self._tell_end("done", known)
        if self._log_content:
            _log.info("%s output=%s", self._head, quote(answer.output))

    def cancelled(self) -> None:
        """A run was cancelled: its client left, its time was over, or the server stops."""
        self._tell_end("cancelled", {})

    def _tell_end(self, how: str, known: Mapping[str, str | int]) -> None:
        told = {**self._ids, **known, "duration_ms": round(self.seconds * 1000)}
        _log.info(RunEnded(self._run_id, how, told))

    @property
    def seconds(self) -> float:
        """The time since the run began."""
        return self._clock() - self._began
