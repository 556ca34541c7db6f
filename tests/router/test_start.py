"""The modules that a router has loaded once it has served: slow imports wait until something needs them."""

import subprocess
import sys

HEAVY = [
    "aiohttp",
    "fastapi",
    "httpx",
    "langchain_core",
    "numpy",
    "openai",
    "plano_agents.router.operate.operators",
    "plano_agents.router.operate.pages",
    "plano_agents.agent_server.app",
    "plano_agents.simulator.app",
    "redis",
    "rich",
]
PROGRAM = """
import asyncio, sys
import plano_agents.cli.main, plano_agents.cli.up
from plano_agents import processes
from plano_agents.config import Config, Model
from plano_agents.router.app import Router
from plano_agents.router.run import run_router
from plano_agents.http.client.client import HttpUpstream
from plano_agents.testing import FakeUpstream

async def talk(listener, request):
    reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
    writer.write(request)
    answer = await reader.read(-1)
    writer.close()
    assert answer.startswith(b'HTTP/1.1 200 OK'), answer

async def main():
    async with FakeUpstream() as provider:
        await ask_everything(Model('openai/gpt-4o', 'openai', 'gpt-4o', interface='openai', base_url=provider.url))

async def ask_everything(model):
    listener = processes.bind('127.0.0.1', 0)
    upstream = HttpUpstream()
    router = Router(Config(models=(model,)), upstream)
    body = b'{"messages":[{"role":"user","content":"hi"}]}'
    async with processes.running([processes.Site(router, listener)]):
        head = b'POST /v1/chat/completions HTTP/1.1\\r\\nhost: localhost\\r\\ncontent-type: application/json\\r\\nx-model-affinity: a\\r\\nconnection: close\\r\\n'
        await talk(listener, head + b'content-length: %d\\r\\n\\r\\n' % len(body) + body)
        await talk(listener, b'GET /healthz HTTP/1.1\\r\\nhost: h\\r\\nconnection: close\\r\\n\\r\\n')
        await talk(listener, b'GET /readyz HTTP/1.1\\r\\nhost: h\\r\\nconnection: close\\r\\n\\r\\n')
        print(*[name for name in HEAVY if name in sys.modules])
    await router.aclose()
    await upstream.close()

processes.run(main())
"""


def test_answering_a_request_and_saying_that_all_is_well_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"HEAVY = {HEAVY!r}\n{PROGRAM}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
