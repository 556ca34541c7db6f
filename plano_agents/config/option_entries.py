"""Sections beside models and routes to their values: what the schema cannot say is checked here.

A section with a problem still yields a value; it is meaningful only when no problem was noted.
"""

from collections.abc import Sequence
from dataclasses import replace

from plano_agents.config.findings import Findings, KeyPath, format_path, format_value
from plano_agents.config.options import CostSource, MetricsSource, PlanoTracing, SessionCache
from plano_agents.config.secrets import SecretReader, has_reference
from plano_agents.config.store_url import parse_store_url
from plano_agents.http_syntax import is_token, split_address
from plano_agents.secret_str import SecretStr


def build_session_cache(section: SessionCache, findings: Findings, secrets: SecretReader | None) -> SessionCache:
    """Read ``routing.session_cache``; offline, an address from the environment is left out."""
    path: KeyPath = ("routing", "session_cache")
    header = section.tenant_header
    if header is not None and not is_token(header):
        findings.add_problem(
            (*path, "tenant_header"),
            f"the tenant header {format_value(header)} is not a header name. Write letters, digits and hyphens.",
        )
    if section.type == "redis" and section.url is None:
        findings.add_problem(
            path, "a session_cache of type 'redis' needs url. Write one such as 'redis://localhost:6379'."
        )
    url = _read_store_url(section, path, findings, secrets)
    return replace(section, url=url, tenant_header=header and header.lower())


def _read_store_url(
    section: SessionCache, path: KeyPath, findings: Findings, secrets: SecretReader | None
) -> SecretStr | None:
    url = section.url
    if url is not None and section.type == "memory":
        findings.add_warning(
            (*path, "url"), "this url has no effect: pins are kept in memory. Add 'type: redis' to share them"
        )
    if url is not None and secrets is not None:
        url = secrets.read(url, (*path, "url"), "routing.session_cache")
    elif url is not None and has_reference(url.get_secret_value()):
        findings.add_warning(
            (*path, "url"), "offline, no address is read from the environment: pins are kept in memory"
        )
        return None
    if section.type == "redis" and url is not None:
        try:
            parse_store_url(url.get_secret_value())
        except ValueError as error:
            findings.add_problem(
                (*path, "url"),
                f"the url of session_cache is not a Redis URL: {error}. Write redis://, a host, and a port where it is "
                "not 6379, such as 'redis://localhost:6379/0'; 'redis+sentinel://host,host,host/mymaster'; or "
                "'redis+cluster://host,host'. With rediss it is TLS.",
            )
    return url


def build_tracing(section: PlanoTracing, findings: Findings, secrets: SecretReader | None) -> PlanoTracing:
    """Read ``tracing``; offline, a collector from the environment is left out."""
    if section.opentracing_grpc_endpoint is not None and section.random_sampling == 0:
        findings.add_warning(
            ("tracing", "opentracing_grpc_endpoint"),
            "this collector gets nothing: tracing.random_sampling is 0. Set how many of 100 requests are traced",
        )
    prefixes = tuple(prefix.lower() for prefix in section.span_attributes.header_prefixes)
    return replace(
        section,
        opentracing_grpc_endpoint=_read_collector(section, findings, secrets),
        span_attributes=replace(section.span_attributes, header_prefixes=prefixes),
        exporters=None,  # nothing acts on them
    )


def _read_collector(section: PlanoTracing, findings: Findings, secrets: SecretReader | None) -> str | None:
    path: KeyPath = ("tracing", "opentracing_grpc_endpoint")
    given = section.opentracing_grpc_endpoint
    if given is not None and has_reference(given):
        if secrets is None:
            return None
        expanded = secrets.read(SecretStr(given), path, format_path(path))
        given = None if expanded is None else expanded.get_secret_value()
    if given is None:
        return None
    # Plano asks for the same: gRPC without TLS, so no path can follow.
    parts = split_address(given, frozenset({"http"}))
    if parts is None or parts.path.strip("/"):
        findings.add_problem(
            path, f"{format_path(path)} is not an address. Write http://, a host and a port, and no path."
        )
    return given.rstrip("/")


def build_metrics_sources(entries: Sequence[MetricsSource], findings: Findings) -> tuple[MetricsSource, ...]:
    """Check ``model_metrics_sources``.

    Args:
        entries: The entries, in the file's order.
        findings: Where problems are noted.

    Returns:
        The sources in that order, one of each type, each with its address.
    """
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        path: KeyPath = ("model_metrics_sources", index)
        if entry.type in seen:
            findings.add_problem(path, f"this is a second metrics source of type {entry.type!r}. Keep one.")
        seen.add(entry.type)
        if entry.url is not None and split_address(entry.url, frozenset({"http", "https"})) is None:
            findings.add_problem(
                (*path, "url"),
                f"the url of this {entry.type} source is not an address. Write http:// or https:// and a host, "
                "without credentials.",
            )
    return tuple(replace(entry, url=entry.address) if isinstance(entry, CostSource) else entry for entry in entries)
