"""vLLM's router, which keeps a session on one replica by consistent hashing."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import Command, Peer, Site


def _install(cache: Path) -> Installation:
    return install_python(cache, "vllm-router", "vllm-router==0.1.17", "vllm-router", "bin/vllm-router")


def _command(installation: Installation, site: Site) -> Command:
    # The README starts it with consistent_hash, the policy that keeps sessions; all else is its default but the log's
    # level, for the others write no line per request, and the metrics' port, so that two of them can run.
    workers = [f"http://127.0.0.1:{port}" for port in site.upstreams]
    place = ("--host", "127.0.0.1", "--port", str(site.port), "--prometheus-port", str(site.metrics_port))
    policy = ("--policy", "consistent_hash", "--log-level", "error", "--worker-startup-check-interval", "1")
    return Command((installation.program, "--worker-urls", *workers, *place, *policy))


VLLM_ROUTER = Peer(
    "vllm-router", "Rust", _install, _command, chat=Target("gpt-4o", {}), affinity_header="X-Session-ID"
)
