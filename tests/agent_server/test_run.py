"""An agent server as a program, on a real socket."""

import asyncio
import json

from plano_agents import processes
from plano_agents.agent_server.run import build_site, serve_site
from plano_agents.agent_server.settings import build_settings
from tests.agent_server.conftest import Script, build_graph

LIMIT = 400_000
HEAD = b"POST /agent/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def test_a_body_beyond_max_buffered_bytes_is_refused() -> None:
    listener, ready = processes.bind("127.0.0.1", 0), asyncio.Event()
    settings = build_settings(checkpoints="none", max_buffered_bytes=LIMIT)
    site = build_site(build_graph(Script()), settings, listener)
    server = asyncio.create_task(serve_site(site, on_ready=ready.set))
    await ready.wait()
    reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
    writer.write(HEAD % (2 * LIMIT) + b"x" * (LIMIT + 1))
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    assert (head[9:12], json.loads(body)["error"]["code"]) == (b"503", "overloaded")
    assert site.budget.held == 0
    writer.close()
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
    listener.close()
