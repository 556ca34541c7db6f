"""The destination of traces: by the configuration, else the environment, as OpenTelemetry's exporters read it.

The configuration names a collector by Plano's key, which speaks gRPC. Without it, ``OTEL_EXPORTER_OTLP_PROTOCOL`` and
``OTEL_EXPORTER_OTLP_ENDPOINT`` say how and where (each also as ``OTEL_EXPORTER_OTLP_TRACES_…``), by default gRPC to
``http://localhost:4317``, as Plano. Keys for a collector stand in ``OTEL_EXPORTER_OTLP_HEADERS``, which only the
exporter reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from plano_agents.errors import ConfigError
from plano_agents.extras import write_command

Protocol = Literal["grpc", "http/protobuf"]

_DEFAULTS: Mapping[Protocol, str] = {
    "grpc": "http://localhost:4317",
    "http/protobuf": "http://localhost:4318",
}
_NEEDED = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.grpc",
    "opentelemetry.exporter.otlp.proto.http",
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A collector, and how it is spoken to."""

    protocol: Protocol
    """OTLP over gRPC, or over HTTP."""
    endpoint: str | None
    """Its address; None leaves it to the exporter, which asks the environment."""
    shown: str
    """The address for people: without user, password, path and query."""


def find_destination(percent: int, endpoint: str | None, environ: Mapping[str, str]) -> Destination | None:
    """Find where traces go; None where nothing is traced.

    Args:
        percent: How many of 100 requests are traced.
        endpoint: The collector that the configuration names, which speaks gRPC.
        environ: The environment.

    Raises:
        ConfigError: The environment names a protocol that is none of them, or the extra ``otel`` is not installed.
    """
    if percent == 0 or is_switched_off(environ):
        return None
    _check_installed()
    endpoint = endpoint or environ.get("OTEL_TRACING_GRPC_ENDPOINT")  # Plano's own
    if endpoint:
        return Destination("grpc", endpoint, _show(endpoint))
    name, given = _find("PROTOCOL", environ)
    given = given.strip().lower() or "grpc"
    if given not in get_args(Protocol):
        raise ConfigError(f"{name} is {given!r}. Write 'grpc' or 'http/protobuf'.")
    protocol = cast("Protocol", given)
    return Destination(protocol, None, _show(_find("ENDPOINT", environ)[1] or _DEFAULTS[protocol]))


def is_switched_off(environ: Mapping[str, str]) -> bool:
    """Check whether the environment wants no traces, whatever is configured."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return disabled or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"


def describe_missing_packages() -> str | None:
    """Say how OpenTelemetry's packages are installed; None where they are, and nothing of them is loaded."""
    for name in _NEEDED:
        try:
            found = find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"tracing needs the extra 'otel', which is not installed. Run: {write_command('otel')}"
    return None


def _check_installed() -> None:
    """Look whether OpenTelemetry is there.

    Raises:
        ConfigError: It is not.
    """
    missing = describe_missing_packages()
    if missing is not None:
        raise ConfigError(f"{missing[0].upper()}{missing[1:]}, or set the sampling to 0.")


def _find(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Find a variable of the exporter's, the one for traces first: its name, and what it says."""
    names = [f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"]
    return next(((each, environ[each]) for each in names if environ.get(each)), (names[1], ""))


def _show(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else endpoint.rpartition("@")[2]
