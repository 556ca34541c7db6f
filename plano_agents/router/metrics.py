"""What the router counts, in Prometheus' form.

With several workers, each counts for itself in files that they share (``PROMETHEUS_MULTIPROC_DIR``, which whoever
starts them sets), and whichever is asked adds them up.
"""

import os

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plano_agents.router.trail import Trail
from plano_agents.serving.metrics_directory import METRICS_DIRECTORY

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of `generate_latest`."""


class Metrics:
    """One router's counters."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's
        self._registry = CollectorRegistry()
        self._violations = Counter(
            "plano_affinity_violations",
            "Requests that were dispatched to another model than their session's last one, for no listed reason.",
            registry=self._registry,
        )
        decisions = Counter(
            "plano_affinity_decisions",
            "Requests by what was decided about their session, why, and what had to be done without.",
            ["decision", "reason", "degraded"],
            registry=self._registry,
        )
        self._decisions = decisions
        self._counted: dict[tuple[str, str | None, tuple[str, ...]], Counter] = {}

    def observe(self, trail: Trail) -> None:
        """Count a request by its decision."""
        decision = trail.decision
        if decision is None:
            return
        key = (decision.kind, decision.reason, decision.degraded)
        counter = self._counted.get(key)
        if counter is None:
            counter = self._counted[key] = self._decisions.labels(
                decision.kind, decision.reason or "", ",".join(decision.degraded)
            )
        counter.inc()

    def count_violation(self) -> None:
        """Count a broken promise."""
        self._violations.inc()

    def render(self) -> bytes:
        """Write all counters, those of other workers added."""
        registry = self._registry
        if METRICS_DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library's
        return generate_latest(registry)
