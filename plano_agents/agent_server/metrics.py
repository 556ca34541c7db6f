"""The agent server's metrics for Prometheus: requests, runs, and their model calls.

Labels take their values from closed sets alone: endpoints, status classes, codes of the error tree.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.agent_server.events import Answer
from plano_agents.agent_server.sent_answer import begin_sending
from plano_agents.http.server.budget import BufferBudget
from plano_agents.observe.tally import OTHER, Counter, Histogram, Reading, Tally

RUN_SECONDS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
"""From one quick model call to many slow ones."""


class AgentMetrics:
    """One agent server's numbers.

    Args:
        buffered: Counts the bytes that are buffered for clients; None where nothing does.
    """

    def __init__(self, buffered: BufferBudget | None = None) -> None:
        buffered = buffered if buffered is not None else BufferBudget()
        self._in_flight = 0
        self._requests = Counter(
            "plano_agent_requests",
            "Requests by endpoint and the class of their status; none where the client left before.",
            ["endpoint", "status"],
        )
        self._runs = Counter(
            "plano_agent_runs",
            "Runs by their outcome: done, cancelled, or the error's code.",
            ["outcome"],
            start=[("done",)],
        )
        self._duration = Histogram("plano_agent_run_duration_seconds", "How long runs took.", RUN_SECONDS)
        self._turns = Counter("plano_agent_turns", "Model calls of runs that are done.")
        self._switches = Counter("plano_agent_switches", "How often a run's model differed from the call before.")
        running = Reading("plano_agent_runs_in_flight", "Runs now.", lambda: {(): float(self._in_flight)})
        held = Reading(
            "plano_agent_buffered_bytes",
            "Bytes of request bodies, and of answers that clients have not taken, held now; small bodies are left out.",
            lambda: {(): float(buffered.held)},
        )
        self.tallies: tuple[Tally, ...] = (
            *(self._requests, self._runs, running, held, self._duration, self._turns, self._switches),
        )

    def begin_run(self) -> None:
        """Count a run that begins; `end_run` follows."""
        self._in_flight += 1

    def end_run(self, outcome: str, seconds: float, answer: Answer | None) -> None:
        """Count a run that is over.

        Args:
            outcome: ``done``, ``cancelled`` or an error's code.
            seconds: How long it took.
            answer: What it came to, if it did.
        """
        self._in_flight -= 1
        self._runs.add((outcome,))
        self._duration.note((), seconds)
        if answer is not None:
            self._turns.add(amount=len(answer.turns))
            self._switches.add(amount=answer.switches)

    def count_request(self, endpoint: str | None, status: int | None) -> None:
        """Count a request that is over.

        Args:
            endpoint: The route's path, with its parameters' names; None where there is none.
            status: The answer's; None where there was none.
        """
        self._requests.add((endpoint or OTHER, f"{status // 100}xx" if status is not None else "none"))


class MetricsMiddleware:
    """Counts every request, whatever answers it.

    Args:
        app: What answers.
        metrics: Counts.
    """

    def __init__(self, app: ASGIApp, *, metrics: AgentMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = begin_sending(scope, send)
        try:
            await self._app(scope, receive, sent)
        finally:
            self._metrics.count_request(getattr(scope.get("route"), "path_format", None), sent.status)
