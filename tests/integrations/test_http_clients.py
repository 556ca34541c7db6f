"""One set of clients serves a whole process, whatever its event loops."""

import asyncio
from typing import Any

from plano_agents import ChatPlano
from plano_agents.integrations.http_clients import build_async_client, build_client, load_tls_context
from plano_agents.testing import FakeUpstream


def test_certificates_are_loaded_once() -> None:
    assert load_tls_context() is load_tls_context()


def test_one_client_serves_all_models_and_a_proxy_has_its_own() -> None:
    assert build_client(None) is build_client(None)
    assert build_client(None) is not build_client("http://127.0.0.1:3128")


def test_one_model_serves_one_event_loop_after_another(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=router.url)
    for _ in range(3):
        assert asyncio.run(llm.ainvoke("hello")).content == "echo: hello"


def test_a_loops_connections_are_closed_with_it(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=router.url)
    clients = build_async_client(None)._per_loop

    async def ask() -> Any:  # noqa: ANN401 - httpx's client or httpx2's
        await asyncio.gather(*(llm.ainvoke("hello") for _ in range(5)))
        return clients[asyncio.get_running_loop()][0]

    client = asyncio.run(ask())
    assert client.is_closed
    assert client not in [each for each, _ in clients.values()]


def test_a_loop_that_was_never_shut_down_is_forgotten(router: FakeUpstream) -> None:
    llm = ChatPlano(base_url=router.url)
    clients = build_async_client(None)._per_loop
    loop = asyncio.new_event_loop()
    loop.run_until_complete(llm.ainvoke("hello"))
    client = clients[loop][0]
    loop.run_until_complete(client.aclose())
    loop.close()
    asyncio.run(llm.ainvoke("hello"))
    assert loop not in clients
