"""The router's request log: a line for each request, and one more where a provider failed or refused its key.

Nothing of a prompt is in a trail, and no key. Ids are shortened in text, always alike: by their first and last six
characters, for the end tells lanes and hashes apart.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby, pairwise

from plano_agents.config.model import Config, name_upstream
from plano_agents.observe.log import Event, Paint, Style, build_record, escape
from plano_agents.router.request.retry import is_retryable
from plano_agents.router.request.trail import Trail, Try, measure_phases

logger = logging.getLogger(__name__)

ID_END = 6
"""How many characters are kept of each end of a long id."""

MAX_WIDTH = 36
"""The widest that a column grows."""

REPEAT_SECONDS = 60.0
"""How long after a provider has refused a key that is not told again."""

KEY_REFUSALS = frozenset({401, 403})

_CLIENT_ERROR, _SERVER_ERROR = 400, 500
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
        self._widths = {"model": 16, "route": 8}
        self._config = Config(models=())
        self._refused: dict[str, float] = {}

    def configure(self, config: Config) -> None:
        """Learn which entry a model is, and how long names are; keys that were refused may be others now."""
        self._config = config
        self._refused.clear()
        self._widen("model", [name for model in config.models for name in model.list_upstreams()])
        self._widen("route", [preference.name for preference in config.preferences])

    def observe(self, trail: Trail) -> None:
        """Tell of a request that is over."""
        if logger.isEnabledFor(logging.INFO):
            logger.handle(build_record(logger.name, logging.INFO, RequestLine(trail, self._widths)))
        if trail.tries:
            self._tell_failures(trail)

    def note_breaker(self, model: str, *, is_open: bool) -> None:
        """Tell that a model's circuit breaker, or a deployment's, has opened or closed.

        Args:
            model: The upstream's name.
            is_open: Whether its breaker has opened.
        """
        if is_open:
            policy = self._config.breaker
            told = "the circuit breaker of %s is open for %g s (failures in a row: %d)"
            logger.warning(told, model, policy.open_seconds, policy.failures)
        else:
            logger.warning("the circuit breaker of %s is closed again", model)

    def _widen(self, column: str, names: Iterable[str]) -> None:
        longest = max(map(len, names), default=0)
        self._widths[column] = max(self._widths[column], min(longest, MAX_WIDTH))

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


class RequestLine(Event):
    """One request.

    Args:
        trail: What is known of it.
        widths: How wide columns are by now.
    """

    def __init__(self, trail: Trail, widths: dict[str, int]) -> None:
        self._trail = trail
        self._widths = widths

    def render(self, paint: Paint) -> str:
        """See `Event.render`."""
        trail, decision = self._trail, self._trail.decision
        name = shorten_id(trail.session.affinity_id if trail.session is not None else trail.affinity_id)
        kind, reason = (decision.kind, decision.reason or "") if decision is not None else ("-", "")
        model = name_upstream(decision.model, decision.deployment) if decision is not None else "-"
        route = (decision.route if decision is not None else None) or "-"
        phases = measure_phases(trail)
        waited = [phases[each] for each in ("fitting", "provider", "first_bytes") if each in phases]
        upstream = sum(waited) if waited else None
        parts = [
            paint(f"{name:<{2 * ID_END + 1}}", "bold"),
            paint(f"{f'{kind} {reason}':<22}", _STYLES.get(kind, "dim")),
            self._fit("model", model),
            self._fit("route", route),
            self._tell_status(paint),
            f"routing {tell_duration(phases.get('routing')):>7}",
            f"upstream {tell_duration(upstream):>7}",
            f"answer {tell_duration(phases.get('streaming', phases.get('writing'))):>7}",
            f"total {tell_duration(trail.duration_ms):>7}",
        ]
        tokens = trail.tokens
        if tokens.input or tokens.output:
            parts.append(f"{tokens.input:>6} in {tokens.cached:>6} cached {tokens.output:>5} out")
        return "  ".join([*parts, *(paint(each, "yellow") for each in self._tell_more())]).rstrip()

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

    def _fit(self, column: str, text: str) -> str:
        """Fill a column up, or widen it, as far as it goes."""
        text = escape(text)
        if len(text) > MAX_WIDTH:
            text = f"{text[: MAX_WIDTH - 1]}~"
        width = self._widths[column] = max(self._widths[column], len(text))
        return f"{text:<{width}}"

    def _tell_status(self, paint: Paint) -> str:
        status = self._trail.status
        if status is None:
            return paint("---", "dim")
        if status >= _SERVER_ERROR or self._trail.failure is not None:
            return paint(str(status), "red")
        return paint(str(status), "yellow" if status >= _CLIENT_ERROR else "green")

    def _tell_more(self) -> list[str]:
        """The fields that few requests have."""
        trail = self._trail
        told = [f"label={escape(trail.label)}"] if trail.label is not None else []
        told += [trail.failure] if trail.failure is not None else []
        told += [f"adjusted: {escape(each.text)}" for each in trail.adjustments]
        if trail.client_left:
            told.append("client left")
        if trail.decision is not None and trail.decision.pinned is not None:
            told.append(f"pinned={escape(trail.decision.pinned)}")
        if trail.decision is not None and trail.decision.because is not None:
            told.append(f"because {escape(trail.decision.because)}")
        if trail.decision is not None and trail.decision.degraded:
            told.append(f"degraded={','.join(trail.decision.degraded)}")
        if len(trail.tries) > 1:
            told.append(f"{len(trail.tries)} tries")
        failovers = count_failovers(trail.tries)
        if failovers:
            told.append(f"{failovers} failover{'s' if failovers > 1 else ''}")
        return told


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
