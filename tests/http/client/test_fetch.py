"""Getting what no provider serves: prices, latencies."""

import pytest

from plano_agents.errors import UpstreamProtocolError, UpstreamTimeoutError, UpstreamUnreachableError
from plano_agents.http.client import client
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import connect
from tests.router.conftest import COMPLETE, COMPLETION


async def test_an_address_is_fetched() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        assert await upstream.fetch(f"{provider.url}/api.json?a=b") == COMPLETION
    assert provider.exchanges[0].head.splitlines() == [
        "GET /api.json?a=b HTTP/1.1",
        f"host: {provider.url.removeprefix('http://')}",
        "accept: */*",
        "accept-encoding: identity",
        "",
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    async with FakeUpstream(COMPLETE) as there:

        async def redirect(exchange: UpstreamExchange) -> None:
            location = "elsewhere?x=1" if exchange.path == "/start/here" else f"{there.url}/end"
            await exchange.answer(b"", status=status, headers={"location": location})

        async with FakeUpstream(redirect) as provider, connect() as upstream:
            assert await upstream.fetch(f"{provider.url}/start/here") == COMPLETION
    assert [exchange.path for exchange in provider.exchanges] == [
        "/start/here",
        "/start/elsewhere?x=1",
    ]
    assert (there.exchanges[0].method, there.exchanges[0].path) == ("GET", "/end")


async def test_redirects_without_an_end_are_given_up() -> None:
    async def redirect(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"", status=302, headers={"location": "/"})

    async with FakeUpstream(redirect) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match="redirects more than"):
            await upstream.fetch(f"{provider.url}/?key=canary")
    assert len(provider.exchanges) == client.FETCH_REDIRECTS + 1


async def test_an_answer_other_than_200_is_told_without_the_query() -> None:
    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b"", status=403)

    async with FakeUpstream(refuse) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match=f"^{provider.url} answered 403.$"):
            await upstream.fetch(f"{provider.url}/?key=canary")


async def test_a_source_that_is_too_slow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FETCH_SECONDS", 0.05)
    async with FakeUpstream(UpstreamExchange.gone) as provider, connect() as upstream:
        with pytest.raises(UpstreamTimeoutError, match=f"^{provider.url} did not answer within 0.05 s"):
            await upstream.fetch(provider.url)


async def test_a_source_that_gives_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FETCH_BYTES", 10)
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        with pytest.raises(UpstreamProtocolError, match="over 10 bytes"):
            await upstream.fetch(provider.url)


async def test_a_source_that_is_down_is_unreachable() -> None:
    async with FakeUpstream(COMPLETE) as provider:
        url = provider.url
    async with connect() as upstream:
        with pytest.raises(UpstreamUnreachableError, match=f"^No connection to {url}"):
            await upstream.fetch(url)
