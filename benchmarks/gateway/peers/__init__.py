"""The gateways that are measured, a file each; a new one is a file and a line here."""

from benchmarks.gateway.peers.envoy import ENVOY
from benchmarks.gateway.peers.haproxy import HAPROXY
from benchmarks.gateway.peers.litellm import LITELLM
from benchmarks.gateway.peers.nginx import NGINX
from benchmarks.gateway.peers.peer import Peer
from benchmarks.gateway.peers.plano_agents import PLANO_AGENTS
from benchmarks.gateway.peers.portkey import PORTKEY
from benchmarks.gateway.peers.sglang_router import SGLANG_ROUTER
from benchmarks.gateway.peers.smg import SMG
from benchmarks.gateway.peers.tensorzero import TENSORZERO
from benchmarks.gateway.peers.vllm_router import VLLM_ROUTER, VLLM_ROUTER_DEFAULT

PEERS: tuple[Peer, ...] = (
    PLANO_AGENTS,
    NGINX,
    HAPROXY,
    ENVOY,
    VLLM_ROUTER,
    VLLM_ROUTER_DEFAULT,
    SGLANG_ROUTER,
    SMG,
    TENSORZERO,
    PORTKEY,
    LITELLM,
)
