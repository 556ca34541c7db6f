"""vLLM's router: keeping sessions by consistent hashing, and with its default policy."""

from functools import partial
from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import Command, Peer, Site


def _install(cache: Path) -> Installation:
    return install_python(cache, "vllm-router", "vllm-router==0.1.17", "vllm-router", "bin/vllm-router")


def _command(policy: str, installation: Installation, site: Site) -> Command:
    # All else is its default but the log's level, for the others write no line per request, and the metrics' port.
    workers = [f"http://127.0.0.1:{port}" for port in site.upstreams]
    place = ("--host", "127.0.0.1", "--port", str(site.port), "--prometheus-port", str(site.metrics_port))
    quiet = ("--log-level", "error", "--worker-startup-check-interval", "1")
    return Command((installation.program, "--worker-urls", *workers, *place, "--policy", policy, *quiet))


VLLM_ROUTER = Peer(
    "vllm-router",
    "Rust, keeps sessions",
    _install,
    # What its README starts it with.
    partial(_command, "consistent_hash"),
    chat=Target("gpt-4o", {}),
    affinity_header="X-Session-ID",
)
VLLM_ROUTER_DEFAULT = Peer(
    "vllm-router-default",
    "Rust, cache-aware",
    _install,
    partial(_command, "cache_aware"),
    chat=Target("gpt-4o", {}),
    affinity_header="X-Session-ID",
)
