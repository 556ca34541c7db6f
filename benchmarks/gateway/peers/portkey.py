"""Portkey's gateway, on Node."""

from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, Requirement, install_node
from benchmarks.gateway.peers.peer import Command, Peer, Site


def _install(cache: Path) -> Installation:
    # With a newer @hono/node-server streams fail with "TypeError: immutable": Portkey-AI/gateway, issue 1389.
    wanted = Requirement("@portkey-ai/gateway", "1.15.2", {"@hono/node-server": "1.13.8"})
    return install_node(cache, "portkey", wanted, "build/start-server.js")


def _command(installation: Installation, site: Site) -> Command:
    # As its README starts it (node build/start-server.js), without its web page, and allowed to ask 127.0.0.1.
    arguments = ("node", installation.program, f"--port={site.port}", "--headless")
    return Command(arguments, {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"})


PORTKEY = Peer(
    "portkey",
    "Node, translates",
    _install,
    _command,
    chat=Target("gpt-4o", {"x-portkey-provider": "openai", "x-portkey-custom-host": "{upstream}/v1"}),
    claude=Target(
        "claude-sonnet-4-6",
        {"x-portkey-provider": "anthropic", "x-portkey-custom-host": "{upstream}/v1"},
    ),
)
