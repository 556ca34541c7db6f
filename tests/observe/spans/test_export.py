"""The exporter beside a collector that is there, is not, refuses, hangs, or comes back."""

import logging
import os
import queue
import socket
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from plano_agents.errors import ConfigError
from plano_agents.observe.spans.destination import find_destination
from plano_agents.observe.spans.export import Export
from plano_agents.observe.spans.spans import build_parent
from plano_agents.trace_context import TraceContext
from tests.observe.spans.collector import grpc_collector, http_collector
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port

HTTP = "http/protobuf"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of what takes connections, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def told() -> Iterator["queue.Queue[str]"]:
    """The log records of any library, from warnings on."""
    lines: queue.Queue[str] = queue.Queue()

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.put(record.getMessage())

    keeper = Keeper(logging.WARNING)
    logging.getLogger().addHandler(keeper)
    yield lines
    logging.getLogger().removeHandler(keeper)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every span at once and alone."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")


@pytest.fixture
def open_export(monkeypatch: pytest.MonkeyPatch) -> "OpenExport":
    def build(url: str, protocol: str = "grpc", timeout: str = "1") -> Export:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", timeout)
        destination = find_destination(100, None, os.environ)
        assert destination is not None
        return Export(destination, service="test", sampler=ALWAYS_ON)

    return build


OpenExport = Callable[..., Export]


def empty(lines: "queue.Queue[str]") -> list[str]:
    return [lines.get() for _ in range(lines.qsize())]


@pytest.mark.parametrize("protocol", ["grpc", HTTP])
def test_a_dead_collector_is_told_once_and_slows_nobody(
    protocol: str, told: "queue.Queue[str]", open_export: OpenExport
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    export = open_export(url, protocol)
    for _ in range(5_000):  # over twice what the queue takes; were each to wait for a batch, they would take an hour
        export.tracer.start_span("lost").end()
    first = told.get(timeout=PATIENCE_SECONDS)
    export.close()
    assert f"traces do not reach {url} (OTLP, {protocol})" in first
    assert empty(told) == []


def test_the_exporters_own_reason_is_told(told: "queue.Queue[str]", open_export: OpenExport) -> None:
    with grpc_collector() as collector:
        collector.refuses = True
        export = open_export(collector.url)
        export.tracer.start_span("refused").end()
        assert "StatusCode.PERMISSION_DENIED, error details: no" in told.get(timeout=PATIENCE_SECONDS)
        export.close()


@pytest.mark.parametrize("protocol", ["grpc", HTTP])
def test_a_collector_that_comes_back_is_told_of_and_gets_what_follows(
    protocol: str, told: "queue.Queue[str]", open_export: OpenExport
) -> None:
    with (grpc_collector if protocol == "grpc" else http_collector)() as collector:
        collector.refuses = True
        export = open_export(collector.url, protocol)
        export.tracer.start_span("lost").end()
        assert "do not reach" in told.get(timeout=PATIENCE_SECONDS)
        collector.refuses = False
        export.tracer.start_span("kept").end()
        assert told.get(timeout=PATIENCE_SECONDS) == f"traces reach {collector.url} (OTLP, {protocol}) again"
        export.close()
        assert [span.name for span in collector.spans] == ["kept"]


def test_what_is_queued_is_sent_at_the_end(monkeypatch: pytest.MonkeyPatch, open_export: OpenExport) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512")
    with grpc_collector() as collector:
        export = open_export(collector.url)
        for number in range(600):
            export.tracer.start_span(f"span {number}").end()
        export.close()
        assert len(collector.spans) == 600


@pytest.mark.parametrize("protocol", ["grpc", HTTP])
def test_a_collector_that_hangs_holds_the_end_up_for_a_bounded_time(
    protocol: str, silent: str, open_export: OpenExport
) -> None:
    export = open_export(silent, protocol, timeout="3600")
    export.tracer.start_span("lost").end()
    export.close(seconds=0.2)  # else it would wait for an hour


def test_a_variable_that_the_exporter_cannot_read_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, open_export: OpenExport
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "canary")
    with pytest.raises(ConfigError, match=r"OTLP exporter cannot be built \(.*\)\. Look at the OTEL_EXPORTER_OTLP_"):
        open_export("http://127.0.0.1:4317")


def test_headers_that_cannot_be_read_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, told: "queue.Queue[str]", open_export: OpenExport
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "bearer canary")
    with grpc_collector() as collector:
        export = open_export(collector.url)
        export.tracer.start_span("kept").end()
        export.close()
        assert len(collector.spans) == 1
    assert empty(told) == []


@pytest.mark.parametrize(
    "state", ["canary", "a=canary\xff", "a=1,a=2", ",".join(f"k{number}=canary" for number in range(40))]
)
def test_a_tracestate_that_is_none_is_not_told(open_export: OpenExport, told: "queue.Queue[str]", state: str) -> None:
    """Any client could fill the log with it."""
    export = open_export(f"http://127.0.0.1:{free_port()}")
    build_parent(TraceContext("1" * 32, "1" * 16, 1, state), is_remote=True)
    export.close()
    assert empty(told) == []
