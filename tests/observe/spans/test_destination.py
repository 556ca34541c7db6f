"""The destination of traces."""

import sys

import pytest

from plano_agents.errors import ConfigError
from plano_agents.observe.spans.destination import Destination, find_destination

GRPC = "http://collector:4317"


def test_the_configured_collector_speaks_grpc_whatever_the_environment_says() -> None:
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"}
    assert find_destination(100, GRPC, environ) == Destination("grpc", GRPC, GRPC)


def test_without_one_it_is_the_collector_of_this_machine_as_in_plano() -> None:
    assert find_destination(1, None, {}) == Destination("grpc", None, "http://localhost:4317")


def test_planos_variable_names_it_too() -> None:
    assert find_destination(1, None, {"OTEL_TRACING_GRPC_ENDPOINT": GRPC}) == Destination("grpc", GRPC, GRPC)


@pytest.mark.parametrize("infix", ["", "TRACES_"])
def test_the_exporters_variables_name_how_and_where_and_no_password_is_shown(infix: str) -> None:
    environ = {
        f"OTEL_EXPORTER_OTLP_{infix}PROTOCOL": "http/protobuf",
        f"OTEL_EXPORTER_OTLP_{infix}ENDPOINT": "https://user:canary@otel.example/otlp?key=canary",
    }
    assert find_destination(1, None, environ) == Destination("http/protobuf", None, "https://otel.example")


def test_a_protocol_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'\. Write 'grpc' or"):
        find_destination(1, None, {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})


@pytest.mark.parametrize(
    ("percent", "environ"),
    [(0, {}), (100, {"OTEL_SDK_DISABLED": "TRUE"}), (1, {"OTEL_TRACES_EXPORTER": "none"})],
)
def test_nothing_goes_anywhere_where_that_is_wanted(percent: int, environ: dict[str, str]) -> None:
    assert find_destination(percent, GRPC, environ) is None


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.grpc"])
def test_without_the_extra_the_command_that_installs_it_is_told(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match="--extra otel"):
        find_destination(1, None, {})
    assert find_destination(0, None, {}) is None
