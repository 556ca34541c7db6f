"""The exporter: spans to a collector over OTLP, by OpenTelemetry's SDK, so that no request ever waits for it.

Spans go into a queue of the SDK's (``OTEL_BSP_…``) and from there, in a thread of their own, to the collector; where
the queue is full the oldest are dropped. A collector that cannot be reached is told once, in the exporter's own words,
and once more when it can. At the end what is queued gets a bounded time.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import Tracer

from plano_agents.errors import ConfigError
from plano_agents.observe.spans.destination import Destination

FLUSH_SECONDS = 2.0
"""The longest time to send what is queued at the end, in seconds."""

ABORT_SECONDS = 0.5
"""How long the exporter may take to give up after that."""

_MAX_REASON = 200
_LIBRARY = logging.getLogger("opentelemetry.exporter")
_SDK = logging.getLogger("opentelemetry.sdk")
_log = logging.getLogger(__name__)


class Export:
    """A way to a collector, for as long as a process serves.

    Args:
        destination: The collector.
        service: What the spans' ``service.name`` is, where the environment does not say.
        sampler: Decides which traces are recorded.
        ids: Makes the spans' ids; None for random ones.

    Raises:
        ConfigError: The exporter refuses what the environment says.
    """

    def __init__(
        self, destination: Destination, *, service: str, sampler: Sampler, ids: IdGenerator | None = None
    ) -> None:
        reasons = _hear_library()
        try:
            self._exporter = _ToldOnce(_build_exporter(destination), destination, reasons)
            processor = BatchSpanProcessor(self._exporter)
        except Exception as error:
            raise ConfigError(
                f"The OTLP exporter cannot be built ({type(error).__name__}). Look at the OTEL_EXPORTER_OTLP_… and "
                "OTEL_BSP_… variables."
            ) from error
        self._provider = TracerProvider(
            sampler=sampler, resource=_build_resource(service), shutdown_on_exit=False, id_generator=ids
        )
        self._provider.add_span_processor(processor)
        self.tracer: Tracer = self._provider.get_tracer("plano_agents", version("plano-agents"))
        """Makes spans."""

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Send what is queued, for as long as that may take, and end.

        Args:
            seconds: How long it may.
        """
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(seconds)
        if ending.is_alive():
            self._exporter.shutdown()
            ending.join(ABORT_SECONDS)


def _build_exporter(destination: Destination) -> SpanExporter:
    if destination.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc  # noqa: PLC0415 - one of two

        return grpc.OTLPSpanExporter(endpoint=destination.endpoint)
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http  # noqa: PLC0415 - one of two

    return http.OTLPSpanExporter(endpoint=destination.endpoint)


def _build_resource(service: str) -> Resource:
    """Say whose spans they are; what the environment says outranks us."""
    ours: Mapping[str, str] = {SERVICE_NAME: service, SERVICE_VERSION: version("plano-agents")}
    found = Resource.create()
    named = not str(found.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service")
    return found.merge(Resource({name: ours[name] for name in ours if not (named and name == SERVICE_NAME)}))


class _ToldOnce(SpanExporter):
    """Passes spans on, and tells of a collector that is out when that begins and when it ends."""

    def __init__(self, exporter: SpanExporter, destination: Destination, reasons: "_Reasons") -> None:
        self._exporter = exporter
        self._place = f"{destination.shown} (OTLP, {destination.protocol})"
        self._is_out = False
        self._is_shut = False
        self._reasons = reasons

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - tracing breaks nothing
            self._reasons.last = type(error).__name__
            result = SpanExportResult.FAILURE
        is_out = result is not SpanExportResult.SUCCESS
        if is_out and not self._is_out and not self._is_shut:
            _log.warning(
                "traces do not reach %s and are dropped until they do; requests go on: %s",
                self._place,
                self._reasons.last,
            )
        elif self._is_out and not is_out:
            _log.warning("traces reach %s again", self._place)
        self._is_out = is_out
        return result

    def shutdown(self) -> None:
        """See `SpanExporter.shutdown`; may be called again."""
        if not self._is_shut:
            self._is_shut = True
            self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See `SpanExporter.force_flush`."""
        return self._exporter.force_flush(timeout_millis)


class _Reasons(logging.Handler):
    """Keeps the exporter's latest complaint, which it would log for every batch."""

    last = "it does not say why"

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self.last = " ".join(record.getMessage().split())[:_MAX_REASON]


def _hear_library() -> _Reasons:
    """Have the exporters' complaints come here and nowhere else, and the queue's not at all."""
    known = [handler for handler in _LIBRARY.handlers if isinstance(handler, _Reasons)]
    if known:
        return known[0]
    reasons = _Reasons()
    _LIBRARY.addHandler(reasons)
    _LIBRARY.propagate = False
    _SDK.setLevel(logging.ERROR)
    # They show headers that they cannot read: one, which may hold a collector's key, the other, whatever a client
    # sends.
    for name in ("opentelemetry.util.re", "opentelemetry.trace.span"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return reasons
