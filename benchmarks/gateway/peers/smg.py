"""Shepherd Model Gateway (smg), with sticky sessions."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import Command, Peer, Site


def _install(cache: Path) -> Installation:
    return install_python(cache, "smg", "smg==1.13.0", "smg", "bin/smg")


def _command(installation: Installation, site: Site) -> Command:
    # "manual" keeps a session on its replica in a map of its own (smg's "Sticky Sessions and Routing Keys"); all else
    # is its default but the log's level, for the others write no line per request, and the metrics' port.
    workers = [f"http://127.0.0.1:{port}" for port in site.upstreams]
    place = ("--host", "127.0.0.1", "--port", str(site.port), "--prometheus-port", str(site.metrics_port))
    policy = ("--policy", "manual", "--log-level", "error", "--worker-startup-check-interval", "1")
    return Command((installation.program, "launch", "--worker-urls", *workers, *place, *policy))


SMG = Peer(
    "smg",
    "Rust, keeps sessions",
    _install,
    _command,
    chat=Target("gpt-4o", {}),
    affinity_header="x-smg-routing-key",
)
