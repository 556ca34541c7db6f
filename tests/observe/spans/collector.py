"""Collectors of the test's own: OTLP over gRPC and over HTTP, on free ports, keeping the spans that come."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.patience import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Seen:
    """A span as it came."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    began: float
    ended: float
    attributes: dict[str, Any]
    is_failure: bool
    said: str
    resource: dict[str, Any]


@dataclass
class Collector:
    """The spans that came."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    refuses: bool = False
    _news: threading.Condition = field(default_factory=threading.Condition)

    def take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> None:
        with self._news:
            self.headers.append(headers)
            self.raw.append(request.SerializeToString())
            for of_resource in request.resource_spans:
                resource = _read(of_resource.resource.attributes)
                for scope in of_resource.scope_spans:
                    self.spans += [_read_span(span, resource) for span in scope.spans]
            self._news.notify_all()

    def wait(self, enough: Callable[[Sequence[Seen]], bool]) -> list[Seen]:
        """Wait until what came is enough."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self.spans), PATIENCE_SECONDS), self.spans
            return list(self.spans)

    def find(self, name: str) -> Seen:
        """The one span of a name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]

    def draw(self) -> str:
        """The spans as a tree, by when they began; those whose parents are elsewhere stand at the left."""
        known = {span.span_id for span in self.spans}

        def lines(parent: str | None, indent: str) -> Iterator[str]:
            children = [
                span
                for span in self.spans
                if (span.parent_id == parent if parent is not None else span.parent_id not in known)
            ]
            for child in sorted(children, key=lambda span: (span.began, span.kind != "INTERNAL")):
                yield f"{indent}{child.name}"
                yield from lines(child.span_id, indent + "  ")

        return "\n".join(lines(None, ""))


def _read(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {each.key: _read_value(each.value) for each in attributes}


def _read_value(value: AnyValue) -> Any:  # noqa: ANN401 - it may be anything
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_read_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind is not None else None


def _read_span(span: Span, resource: dict[str, Any]) -> Seen:
    return Seen(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        state=span.trace_state,
        began=span.start_time_unix_nano / 1e9,
        ended=span.end_time_unix_nano / 1e9,
        attributes=_read(span.attributes),
        is_failure=span.status.code == Status.STATUS_CODE_ERROR,
        said=f"{span.status.message}{[event.name for event in span.events] or ''}",
        resource=resource,
    )


@contextmanager
def grpc_collector(port: int = 0) -> Iterator[Collector]:
    """A collector that speaks gRPC."""
    collector = Collector()

    class Servicer(TraceServiceServicer):
        def Export(  # noqa: N802 - the service's
            self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
        ) -> ExportTraceServiceResponse:
            if collector.refuses:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
            collector.take(request, {name: str(value) for name, value in context.invocation_metadata()})
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_TraceServiceServicer_to_server(Servicer(), server)  # type: ignore[no-untyped-call] # the library's
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    collector.url = f"http://127.0.0.1:{bound}"
    try:
        yield collector
    finally:
        server.stop(None).wait()


@contextmanager
def http_collector() -> Iterator[Collector]:
    """A collector that speaks HTTP with protobuf bodies."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            known = self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf"
            if known and not collector.refuses:
                collector.take(
                    ExportTraceServiceRequest.FromString(body),
                    {name.lower(): value for name, value in self.headers.items()},
                )
            self.send_response(200 if known and not collector.refuses else 403)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
