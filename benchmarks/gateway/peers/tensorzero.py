"""TensorZero's gateway, as its Python package starts it: the same Rust code as in its image, in a Python process."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import KEY, Command, Peer, Site

START = """
import signal, sys
from tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print('The gateway listens at', gateway.base_url, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
"""
# Without observability nothing is stored: its guide "Optimize latency and throughput" has that as the fastest, and the
# other gateways store nothing either.
CONFIG = """
[gateway]
observability.enabled = false
[models.gpt-4o]
routing = ["mock"]
[models.gpt-4o.providers.mock]
type = "openai"
model_name = "gpt-4o"
api_base = "{upstream}/v1/"
api_key_location = "env::BENCHMARK_KEY"
[models.claude]
routing = ["mock"]
[models.claude.providers.mock]
type = "anthropic"
model_name = "claude-sonnet-4-6"
api_base = "{upstream}/v1/messages"
api_key_location = "env::BENCHMARK_KEY"
"""


def _install(cache: Path) -> Installation:
    return install_python(cache, "tensorzero", "tensorzero==2026.6.0", "tensorzero", "bin/python")


def _command(installation: Installation, site: Site) -> Command:
    path = site.write("tensorzero.toml", CONFIG.format(upstream=site.upstream))
    start = site.write("start.py", START)
    return Command((installation.program, start, path), {"BENCHMARK_KEY": KEY}, announces_port=True)


PATH = "/openai/v1/chat/completions"
TENSORZERO = Peer(
    "tensorzero",
    "Rust, translates; archived in June 2026",
    _install,
    _command,
    chat=Target("tensorzero::model_name::gpt-4o", {}, PATH),
    claude=Target("tensorzero::model_name::claude", {}, PATH),
)
