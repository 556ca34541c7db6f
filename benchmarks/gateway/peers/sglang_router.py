"""SGLang's router."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import Command, Peer, Site


def _install(cache: Path) -> Installation:
    return install_python(cache, "sglang-router", "sglang-router==0.3.2", "sglang-router", "bin/sglang-router")


def _command(installation: Installation, site: Site) -> Command:
    # Its default policy, cache_aware, which is what it recommends for conversations; all else is its default but the
    # log's level, for the others write no line per request, and the metrics' port.
    workers = [f"http://127.0.0.1:{port}" for port in site.upstreams]
    place = ("--host", "127.0.0.1", "--port", str(site.port), "--prometheus-port", str(site.metrics_port))
    quiet = ("--log-level", "error", "--worker-startup-check-interval", "1")
    return Command((installation.program, "launch", "--worker-urls", *workers, *place, *quiet))


SGLANG_ROUTER = Peer("sglang-router", "Rust, cache-aware", _install, _command, chat=Target("gpt-4o", {}))
