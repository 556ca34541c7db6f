"""The router's request log: a line for each request, and one more where a provider failed or refused its key.

Nothing of a prompt is in a trail, and no key. Ids are shortened in text, always alike: by their first and last six
characters, for the end tells lanes and hashes apart.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, pairwise

from plano_agents.config.model import Config, name_upstream
from plano_agents.observe.log import Event, Paint, Style, escape, log_together
from plano_agents.router.request.retry import is_retryable
from plano_agents.router.request.trail import Trail, Try, measure_phases
from plano_agents.sessions.pin import Decision

logger = logging.getLogger(__name__)

ID_END = 6
"""How many characters are kept of each end of a long id."""

MAX_WIDTH = 36
"""The widest that a column grows."""

MAX_WRITTEN = 1_000
"""Of how many decisions it is remembered how they are written."""

REPEAT_SECONDS = 60.0
"""Seconds after a refused key is reported until it is reported again."""

KEY_REFUSALS = frozenset({401, 403})

_GOOD, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500
_STYLES: Mapping[str, Style] = {
    "initialize": "cyan",
    "retain": "green",
    "detour": "yellow",
    "switch": "yellow",
}


class RequestLog:
    """Tells of one router's requests; columns widen with what they show.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._columns = Columns(model=16, route=8)
        self._config = Config(models=())
        self._refused: dict[str, float] = {}
        self._line = DetailedLine if logger.isEnabledFor(logging.DEBUG) else RequestLine

    def configure(self, config: Config) -> None:
        """Learn which entry a model is, and how long names are; keys that were refused may be others now."""
        self._config = config
        self._refused.clear()
        self._columns.widen("model", [name for model in config.models for name in model.list_upstreams()])
        self._columns.widen("route", [preference.name for preference in config.preferences])

    def observe(self, trails: Sequence[Trail]) -> None:
        """See `Observer`."""
        if not logger.isEnabledFor(logging.INFO):
            for trail in [trail for trail in trails if trail.noted]:
                if self._has_failures(trail):
                    self._tell_failures(trail)
            return
        lines = []
        for trail in trails:
            lines.append(self._line(trail, self._columns))
            if trail.noted and self._has_failures(trail):
                log_together(logger, logging.INFO, lines)
                lines = []
                self._tell_failures(trail)
        log_together(logger, logging.INFO, lines)

    def note_breaker(self, model: str, *, is_open: bool) -> None:
        """Tell that a model's circuit breaker, or a deployment's, has opened or closed.

        Args:
            model: The upstream's name.
            is_open: Whether its breaker has opened.
        """
        if is_open:
            policy = self._config.breaker
            told = "circuit breaker of %s open for %g s after %d consecutive failures"
            logger.warning(told, model, policy.open_seconds, policy.failures)
        else:
            logger.warning("circuit breaker of %s closed", model)

    @staticmethod
    def _has_failures(trail: Trail) -> bool:
        return len(trail.noted) > 1 or trail.noted[0].status != _GOOD

    def _tell_failures(self, trail: Trail) -> None:
        """Tell in one line which models and deployments failed, after how many tries, and which answered instead."""
        for each in trail.tries:
            if each.status in KEY_REFUSALS:
                self._tell_refused_key(each.model, each.deployment, each.status or 0)
        if len(trail.tries) == 1 and not _has_failed(trail.tries[0]):
            return
        runs = [list(tries) for _, tries in groupby(trail.tries, key=_name)]
        last = runs[-1][-1]
        failed = runs if _has_failed(last) else runs[:-1]
        if failed:
            told = [f"{escape(_name(run[0]))} {_say_outcomes(run)}" for run in failed]
            told.append("no model answered" if failed is runs else f"{escape(_name(last))} answered ({last.status})")
            logger.warning("trace %s: %s", trail.trace_id, "; ".join(told))

    def _tell_refused_key(self, name: str, deployment: str | None, status: int) -> None:
        model = self._config.find_model(name)
        if model is None:
            return
        place = next((model.deploy(each) for each in model.deployments if each.name == deployment), model)
        if place.passthrough_auth:
            return  # it was the client's own key
        now, whose = self._clock(), model.provider if deployment is None else name_upstream(name, deployment)
        if now - self._refused.get(whose, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._refused[whose] = now
        logger.error(
            "the provider %s refuses the key for %s (%d): see its access_key in %s",
            model.provider,
            escape(name_upstream(name, deployment)),
            status,
            "config.yaml" if deployment is None else "plano-agents.yaml",
        )


class Columns:
    """The columns whose width follows from what stood in them, and what stands in them for a decision.

    Args:
        model: How wide the model's is at first, in characters.
        route: The preference's.
    """

    def __init__(self, *, model: int, route: int) -> None:
        self._widths = {"model": model, "route": route}
        self._written: dict[tuple[Decision | None, Paint], str] = {}

    def widen(self, column: str, names: Iterable[str]) -> None:
        """Make a column as wide as names are, as far as it goes."""
        longest = max(map(len, names), default=0)
        self._widths[column] = max(self._widths[column], min(longest, MAX_WIDTH))
        self._written.clear()

    def write(self, decision: Decision | None, paint: Paint) -> str:
        """Write what was decided: kind and reason, model and deployment, and preference."""
        written = self._written.get((decision, paint))
        if written is None:
            kind, reason = (decision.kind, decision.reason or "") if decision is not None else ("-", "")
            model = name_upstream(decision.model, decision.deployment) if decision is not None else "-"
            route = (decision.route if decision is not None else None) or "-"
            told = paint(f"{f'{kind} {reason}':<22}", _STYLES.get(kind, "dim"))
            written = f"{told}  {self._fit('model', model)}  {self._fit('route', route)}"
            if len(self._written) < MAX_WRITTEN:
                self._written[decision, paint] = written
        return written

    def _fit(self, column: str, text: str) -> str:
        """Fill a column up, or widen it, as far as it goes."""
        text = escape(text)
        if len(text) > MAX_WIDTH:
            text = f"{text[: MAX_WIDTH - 1]}~"
        if len(text) > self._widths[column]:
            self.widen(column, [text])
        return f"{text:<{self._widths[column]}}"


class RequestLine(Event):
    """One request.

    Args:
        trail: What is known of it.
        columns: How wide columns are by now.
    """

    __slots__ = ("_columns", "_trail")

    def __init__(self, trail: Trail, columns: Columns) -> None:
        self._trail = trail
        self._columns = columns

    def render(self, paint: Paint) -> str:
        """See `Event.render`."""
        trail, tokens = self._trail, self._trail.tokens
        name = shorten_id(trail.session.affinity_id if trail.session is not None else trail.affinity_id)
        routing, upstream, total = trail.routing_ms, trail.upstream_ms, trail.duration_ms
        answer = None
        if routing is not None:
            if trail.first_ms is not None:
                upstream = max(upstream or 0.0, trail.first_ms - routing)
            answer = (total or 0.0) - routing - (upstream or 0.0)
        else:
            upstream = None
        line = (
            f"{paint(f'{name:<{2 * ID_END + 1}}', 'bold')}  {self._columns.write(trail.decision, paint)}"
            f"  {self._tell_status(paint)}  routing {tell_duration(routing):>7}  upstream {tell_duration(upstream):>7}"
            f"  answer {tell_duration(answer):>7}  total {tell_duration(total):>7}"
        )
        if tokens[0] or tokens[1]:
            line += f"  {tokens[0]:>6} in {tokens[2]:>6} cached {tokens[1]:>5} out"
        more = self._tell_more()
        return "  ".join([line, *(paint(each, "yellow") for each in more)]).rstrip() if more else line.rstrip()

    def fields(self) -> Mapping[str, object]:
        """See `Event.fields`."""
        trail, decision = self._trail, self._trail.decision
        found: dict[str, object] = {
            "event": "request",
            "trace_id": trail.trace_id,
            "path": trail.path,
            "affinity_id": trail.affinity_id,
            "session": trail.session.affinity_id if trail.session is not None else None,
            "session_source": trail.origin.source if trail.origin is not None else None,
            "client": trail.client,
            "label": trail.label,
            "tenant": (trail.session.tenant if trail.session is not None else "") or None,
            "decision": decision.kind if decision is not None else None,
            "reason": decision.reason if decision is not None else None,
            "because": decision.because if decision is not None else None,
            "pinned": decision.pinned if decision is not None else None,
            "degraded": list(decision.degraded) if decision is not None else [],
            "model": decision.model if decision is not None else None,
            "deployment": decision.deployment if decision is not None else None,
            "route": decision.route if decision is not None else None,
            "status": trail.status,
            "failure": trail.failure,
            "client_left": trail.client_left,
            "streams": trail.streams,
        }
        times = ("routing_ms", "upstream_ms", "first_ms", "duration_ms")
        found |= {name: _round(getattr(trail, name)) for name in times}
        found["phases_ms"] = {name: _round(value) for name, value in measure_phases(trail).items()}
        found["tries"] = [
            {
                "model": each.model,
                "deployment": each.deployment,
                "status": each.status,
                "failure": each.failure,
                "words": each.words,
                "duration_ms": _round(each.duration_ms),
            }
            for each in trail.tries
        ]
        found["adjusted"] = [each.text for each in trail.adjustments]
        found["failovers"] = count_failovers(trail.tries)
        tokens = trail.tokens
        return found | {
            "input_tokens": tokens.input,
            "cached_input_tokens": tokens.cached,
            "output_tokens": tokens.output,
        }

    def _tell_status(self, paint: Paint) -> str:
        status = self._trail.status
        if status is None:
            return paint("---", "dim")
        if status >= _SERVER_ERROR or self._trail.failure is not None:
            return paint(str(status), "red")
        return paint(str(status), "yellow" if status >= _CLIENT_ERROR else "green")

    def _tell_more(self) -> list[str]:
        """The fields that few requests have."""
        trail, decision, tries = self._trail, self._trail.decision, self._trail.noted
        told = [f"client={escape(trail.client)}"] if trail.client is not None else []
        if trail.label is not None:
            told.append(f"label={escape(trail.label)}")
        if trail.failure is not None:
            told.append(trail.failure)
        if trail.adjustments:
            told += [f"adjusted: {escape(each.text)}" for each in trail.adjustments]
        if trail.client_left:
            told.append("client left")
        if decision is not None and decision.pinned is not None:
            told.append(f"pinned={escape(decision.pinned)}")
        if decision is not None and decision.because is not None:
            told.append(f"because {escape(decision.because)}")
        if decision is not None and decision.degraded:
            told.append(f"degraded={','.join(decision.degraded)}")
        if len(tries) > 1:
            told.append(f"{len(tries)} tries")
            failovers = count_failovers(tries)
            if failovers:
                told.append(f"{failovers} failover{'s' if failovers > 1 else ''}")
        return told


class DetailedLine(RequestLine):
    """One request at level ``debug``: with its trace id, its path, its whole affinity id, and every try."""

    def _tell_more(self) -> list[str]:
        trail = self._trail
        told = [*super()._tell_more(), f"trace={trail.trace_id}", f"path={escape(trail.path)}"]
        if trail.affinity_id is not None:
            told.append(f"affinity={escape(trail.affinity_id)}")
        tried = [
            f"{escape(_name(each))} {each.status or each.failure} in {tell_duration(each.duration_ms)}"
            for each in trail.tries
        ]
        return [*told, f"tried: {'; '.join(tried) or 'none'}"]


def shorten_id(affinity_id: str | None) -> str:
    """Shorten an affinity id, always alike; of a harness' session, to its beginning and its lane's kind or agent."""
    if affinity_id is None:
        return "-"
    if affinity_id.count("·") > 1:
        _harness, session, lane = affinity_id.split("·", 2)
        kind, _, rest = lane.partition("/")
        named = rest.partition("/")[0] if kind.startswith("agent") else kind
        return f"{session[:ID_END]}~{named[-ID_END:]}"
    if len(affinity_id) > 2 * ID_END + 1:
        affinity_id = f"{affinity_id[:ID_END]}~{affinity_id[-ID_END:]}"
    return affinity_id.replace("·", ":")  # a session's that no client can name


def tell_duration(milliseconds: float | None) -> str:
    """Write a duration as briefly as it is exact."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10:  # noqa: PLR2004 - two digits are enough
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def count_failovers(tries: Sequence[Try]) -> int:
    """Count how often another model was asked than before."""
    return sum(before.model != after.model for before, after in pairwise(tries))


def _name(tried: Try) -> str:
    return name_upstream(tried.model, tried.deployment)


def _has_failed(tried: Try) -> bool:
    return tried.status is None or is_retryable(tried.status)


def _say_outcomes(tries: Sequence[Try]) -> str:
    """Say what came of one model's tries."""
    verb = "failed" if _has_failed(tries[-1]) else "could not serve it"
    outcomes = ", ".join(str(each.status or each.failure) for each in tries)
    told = f"{verb} ({outcomes})" if len(tries) == 1 else f"{verb} {len(tries)} times ({outcomes})"
    words = next((each.words for each in reversed(tries) if each.words is not None), None)
    return told if words is None else f"{told}: {escape(words).rstrip('.')}"


def _round(milliseconds: float | None) -> float | None:
    return round(milliseconds, 3) if milliseconds is not None else None
