"""HAProxy, passing through."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, find_debian
from benchmarks.gateway.peers.peer import Command, Peer, Site

# "http-reuse always" and a pool without a limit: HAProxy's configuration manual, 4.2, for backends that keep
# connections. One thread, for it has one core. "option http-no-delay" sends a stream's chunks on at once (manual, 4.2).
CONFIG = """
global
  maxconn 8192
  nbthread {workers}
defaults
  mode http
  option http-keep-alive
  option http-no-delay
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
frontend models
  bind 127.0.0.1:{port} backlog 4096
  default_backend provider
backend provider
  http-reuse always
  server provider 127.0.0.1:{upstream} pool-max-conn -1 pool-purge-delay 600s
"""


def _install(_: Path) -> Installation:
    found = find_debian("haproxy", "haproxy", ["-v"])
    return Installation(found.program, found.version.removeprefix("HAProxy version ").split()[0])


def _command(installation: Installation, site: Site) -> Command:
    text = CONFIG.format(port=site.port, upstream=site.upstreams[0], workers=site.workers)
    return Command((installation.program, "-db", "-f", site.write("haproxy.cfg", text)))


HAPROXY = Peer("haproxy", "C, passes through", _install, _command, chat=Target("gpt-4o", {}))
