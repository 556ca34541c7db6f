"""The router's metrics for Prometheus; docs/metrics.md lists them with their meaning.

Labels take their values from closed sets alone: endpoints, status classes, codes of the error tree, decisions and
reasons, and names that the configuration declares. A model that only a wildcard declares counts under the wildcard,
a route that only a request's own preferences declare as ``other``; ids and tenants are not labels. So a configuration
of M model entries and P preferences makes at most 70 M + P + 700 series, 30 more for each deployment and 11 for each
named client; requests add none to that.

With several workers each counts for itself, and the one that is asked adds up what all have told (``shared_tallies``).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import plano_agents
from plano_agents.config.model import WILDCARD, Config, split_upstream
from plano_agents.config.options import Limits
from plano_agents.observe import exposition
from plano_agents.observe.shared_tallies import SharedTallies
from plano_agents.observe.tally import OTHER, Counter, Histogram, Labels, Reading, Tally
from plano_agents.protocol.adjustment import ADJUSTABLE
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.trail import Trail, Try, group_alike

LLM_SECONDS = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(163.84, 327.68, 655.36),
)
"""The buckets that OpenTelemetry's GenAI conventions give for ``gen_ai.client.operation.duration``, and three more, up
to the longest that an answer may take (``timeouts.total_seconds``)."""

FIRST_TOKEN_SECONDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0),
)
"""The same conventions' for ``gen_ai.server.time_to_first_token``, up to ``timeouts.first_byte_seconds``."""

ROUTING_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0),
)
"""From a pin in memory to a routing model that takes its time."""

_CLASSES = tuple(f"{number}xx" for number in range(10))
_OWN_OUTCOMES = frozenset({401, 403, 429})
"""Statuses that operators act on in their own ways: a key, a right, a rate limit."""


def build_reloads_counter() -> Counter:
    """Count how often the configuration was read again."""
    return Counter(
        "plano_config_reloads",
        "How often the configuration was read again, and whether it could be used.",
        ["outcome"],
        start=[("success",), ("failure",)],
    )


class Metrics:
    """One router's numbers.

    Args:
        kept: What others count: the session store.
        breakers: Says which models' breakers are open.
        admission: Counts what is served now; None where nothing is.
        directory: Where workers tell each other their numbers; None where this process serves alone.
        settle: Has requests counted that are over, before all is read.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self,
        kept: Sequence[Tally] = (),
        *,
        breakers: Callable[[], Mapping[str, bool]] = dict,
        admission: Admission | None = None,
        directory: Path | None = None,
        settle: Callable[[], None] = lambda: None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settle = settle
        self._wall_clock = wall_clock
        self._loaded_at = 0.0
        self._entries: frozenset[str] = frozenset()
        self._preferences: frozenset[str] = frozenset()
        self._build_requests()
        self._build_upstreams()
        self._build_affinity()
        self.reloads = build_reloads_counter()
        admission = admission if admission is not None else Admission(Limits())
        version: dict[Labels, float] = {(plano_agents.__version__,): 1.0}
        self.tallies: Sequence[Tally] = (
            *(self._requests, self._clients, self._failures, self._duration, self._first_token, self._refusals),
            Reading(
                "plano_requests_in_flight",
                "Requests being served now, or whose answer their client has not taken.",
                lambda: {(): float(admission.in_flight)},
            ),
            Reading(
                "plano_buffered_bytes",
                "Bytes of request bodies, and of answers that clients have not taken, held now; small bodies are left out.",
                lambda: {(): float(admission.buffered.held)},
            ),
            *(self._routing, self._routes, self._decisions, self._switches, self._violations),
            *(self._sendings, self._sending_time, self._adjustments, self._retries, self._failovers),
            *(self._input_tokens, self._cached_tokens, self._output_tokens),
            Reading(
                "plano_upstream_breaker_open",
                "Processes whose circuit breaker for the model is open, or for one of its deployments, after consecutive failures.",
                lambda: self._gauge_breakers(breakers()),
                ["model"],
            ),
            self._breaker_changes,
            *(self._places, self._place_failovers),
            Reading(
                "plano_deployment_breaker_open",
                "Processes whose circuit breaker for the deployment is open, after consecutive failures.",
                lambda: self._gauge_deployments(breakers()),
                ["model", "deployment"],
            ),
            *kept,
            Reading(
                "plano_config_loaded_timestamp_seconds",
                "When the configuration in use was loaded; Unix time.",
                lambda: {(): self._loaded_at},
                merge="max",
            ),
            self.reloads,
            Reading("plano_build_info", "Which version runs.", lambda: version, ["version"], merge="max"),
        )
        self.shared = SharedTallies(directory, self.tallies) if directory is not None else None

    def _build_requests(self) -> None:
        self._requests = Counter(
            "plano_requests",
            "Requests by endpoint and the class of their status; none where the client left before.",
            ["endpoint", "status"],
        )
        self._clients = Counter(
            "plano_client_requests",
            "Requests of clients whose keys have names, by the name and the class of their status.",
            ["client", "status"],
        )
        self._failures = Counter(
            "plano_request_failures",
            "Requests that ended with an error of the router's own, or of a stream's, by its code.",
            ["code"],
        )
        self._duration = Histogram(
            "plano_request_duration_seconds",
            "From a request's arrival to the last byte of its answer.",
            LLM_SECONDS,
            ["endpoint"],
        )
        self._first_token = Histogram(
            "plano_time_to_first_token_seconds",
            "From a request's arrival to the first bytes of its stream, routing included.",
            FIRST_TOKEN_SECONDS,
            ["model"],
        )
        self._refusals = Counter(
            "plano_requests_refused",
            "Requests refused before anything of them was decided, or their answer for want of room.",
            ["code"],
        )

    def _build_upstreams(self) -> None:
        self._sendings = Counter(
            "plano_upstream_requests",
            "What was sent to providers, by what came of it: a class of statuses, 401, 403, 429, or an error's code.",
            ["model", "outcome"],
        )
        self._sending_time = Histogram(
            "plano_upstream_duration_seconds",
            "How long a sending took to its whole answer, or to its stream's first bytes.",
            LLM_SECONDS,
            ["model"],
        )
        self._retries = Counter("plano_upstream_retries", "Sendings after a failed one to the model.", ["model"])
        self._adjustments = Counter(
            "plano_request_adjustments",
            "Changes of requests so that their model takes them, by the field and whether it was dropped, clamped or rewritten.",
            ["field", "kind"],
        )
        self._failovers = Counter(
            "plano_upstream_failovers", "Requests that went on from this model to another.", ["model"]
        )
        self._breaker_changes = Counter(
            "plano_upstream_breaker_changes",
            "How often a model's breaker opened and closed.",
            ["model", "to"],
        )
        self._places = Counter(
            "plano_deployment_requests",
            "What was sent to a model's deployments, by what came of it, as in plano_upstream_requests.",
            ["model", "deployment", "outcome"],
        )
        self._place_failovers = Counter(
            "plano_deployment_failovers",
            "Requests that went on from this deployment to another of the same model.",
            ["model", "deployment"],
        )
        self._input_tokens = Counter(
            "plano_input_tokens", "Prompt tokens as providers counted, cached ones included.", ["model"]
        )
        self._cached_tokens = Counter(
            "plano_cached_input_tokens", "Prompt tokens that were read from providers' caches.", ["model"]
        )
        self._output_tokens = Counter("plano_output_tokens", "Completion tokens as providers counted.", ["model"])

    def _build_affinity(self) -> None:
        self._routing = Histogram(
            "plano_routing_duration_seconds",
            "From a request's arrival to its decision, by what was decided.",
            ROUTING_SECONDS,
            ["decision"],
        )
        self._routes = Counter(
            "plano_route_requests",
            "Requests by the preference that chose their model; none where no preference did.",
            ["route"],
        )
        self._decisions = Counter(
            "plano_affinity_decisions",
            "Requests by what was decided about their session, why, and what had to be done without.",
            ["decision", "reason", "degraded"],
        )
        self._switches = Counter(
            "plano_affinity_switches",
            "Sessions moved to this model, by the reason.",
            ["reason", "model"],
        )
        self._violations = Counter(
            "plano_affinity_violations",
            "Requests that were dispatched to another model than their session's last one without a listed reason.",
        )

    def configure(self, config: Config) -> None:
        """Learn which names may be labels; those of earlier configurations stay, for their requests may still run."""
        self._entries |= {model.name for model in config.models}
        self._preferences |= {preference.name for preference in config.preferences}
        self._loaded_at = self._wall_clock()

    def observe_clients(self, trails: Sequence[Trail]) -> None:
        """Count requests under the names of their clients; see `Observer`."""
        for trail in trails:
            if trail.client is not None:
                self._clients.add((trail.client, _CLASSES[trail.status // 100] if trail.status is not None else "none"))

    def observe(self, trails: Sequence[Trail]) -> None:
        """See `Observer`; requests that differ in nothing but times and tokens are counted together."""
        for each in group_alike(trails):
            self._count(each)

    def _count(self, trails: Sequence[Trail]) -> None:
        """Count requests that are alike."""
        first, number = trails[0], len(trails)
        endpoint, status = first.path, first.status
        self._requests.add((endpoint, _CLASSES[status // 100] if status is not None else "none"), number)
        self._duration.note_all((endpoint,), _keep_known([trail.duration_ms for trail in trails]), per_unit=1000)
        if first.failure is not None:
            self._failures.add((first.failure,), number)
        decision = first.decision
        if decision is None:
            return
        model = self._name(decision.model)
        kind, reason = decision.kind, decision.reason or ""
        self._decisions.add((kind, reason, ",".join(decision.degraded)), number)
        self._routes.add((self._name_route(decision.route),), number)
        if kind == "switch":
            self._switches.add((reason, model), number)
        self._routing.note_all((kind,), _keep_known([trail.routing_ms for trail in trails]), per_unit=1000)
        self._first_token.note_all((model,), _keep_known([trail.first_ms for trail in trails]), per_unit=1000)
        self._count_tries(trails)
        for each in first.adjustments:
            self._adjustments.add((each.field if each.field in ADJUSTABLE else OTHER, each.kind), number)
        given, output, cached, _ = map(sum, zip(*[trail.tokens for trail in trails], strict=True))
        if given or output or cached:
            self._input_tokens.add((model,), given)
            self._cached_tokens.add((model,), cached)
            self._output_tokens.add((model,), output)

    def _count_tries(self, trails: Sequence[Trail]) -> None:
        """Count what was sent for requests that are alike."""
        before: Try | None = None
        first, number = trails[0], len(trails)
        for place, each in enumerate(first.tries):
            labels = (self._name(each.model),)
            self._sendings.add((*labels, _name_outcome(each)), number)
            if first.answered is not None:
                times = _keep_known([trail.upstream_ms for trail in trails])
            else:
                times = [trail.noted[place].duration_ms for trail in trails]
            self._sending_time.note_all(labels, times, per_unit=1000)
            if each.deployment is not None:
                self._places.add((*labels, each.deployment, _name_outcome(each)), number)
            if before is not None and before.model != each.model:
                self._failovers.add((self._name(before.model),), number)
            elif before is not None and before.deployment not in (None, each.deployment):
                self._place_failovers.add((*labels, before.deployment or OTHER), number)
            elif before is not None:
                self._retries.add(labels, number)
            before = each

    def count_refusal(self, code: str) -> None:
        """Count a request that was refused before anything of it was decided."""
        self._refusals.add((code,))

    def count_violation(self) -> None:
        """Count a broken promise."""
        self._violations.add()

    def count_breaker(self, model: str, is_open: bool) -> None:  # noqa: FBT001 - a callback's
        """Count that a breaker opened or closed."""
        name, _ = split_upstream(model)
        self._breaker_changes.add((self._name(name), "open" if is_open else "closed"))

    async def render(self) -> bytes:
        """Write all numbers, those of other workers added."""
        await exposition.load()
        self._settle()
        if self.shared is None:
            return exposition.render(self.tallies)
        self.shared.write()
        return exposition.render(self.tallies, self.shared.read_others())

    def _gauge_breakers(self, breakers: Mapping[str, bool]) -> dict[tuple[str, ...], float]:
        """Map each entry to 1 where circuit breaker of a model that it declares is open, else to 0."""
        gauged: dict[tuple[str, ...], float] = {}
        for name, is_open in breakers.items():
            entry = (self._name(split_upstream(name)[0]),)
            gauged[entry] = max(float(is_open), gauged.get(entry, 0.0))
        return gauged

    def _gauge_deployments(self, breakers: Mapping[str, bool]) -> dict[tuple[str, ...], float]:
        """Do the same for each deployment."""
        gauged: dict[tuple[str, ...], float] = {}
        for name, is_open in breakers.items():
            model, deployment = split_upstream(name)
            if deployment is not None:
                place = (self._name(model), deployment)
                gauged[place] = max(float(is_open), gauged.get(place, 0.0))
        return gauged

    def _name(self, model: str) -> str:
        """Name a model by the entry that declares it."""
        if model in self._entries:
            return model
        wildcard = f"{model.partition('/')[0]}/{WILDCARD}"
        return wildcard if wildcard in self._entries else OTHER

    def _name_route(self, route: str | None) -> str:
        if route is None:
            return "none"
        return route if route in self._preferences else OTHER


def _keep_known(times: Sequence[float | None]) -> Sequence[float]:
    """Leave out the times that are not known."""
    missing = times.count(None)
    if missing == len(times):
        return ()
    return [each for each in times if each is not None] if missing else cast(list[float], times)


def _name_outcome(tried: Try) -> str:
    if tried.status is None:
        return tried.failure or OTHER
    return str(tried.status) if tried.status in _OWN_OUTCOMES else _CLASSES[tried.status // 100]
