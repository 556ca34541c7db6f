"""Providers over TLS: whose certificate counts, and that a connection is kept like any other."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme

from plano_agents.errors import UpstreamUnreachableError
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.http.client.conftest import ask, connect, read_stream, request_to
from tests.patience import PATIENCE_SECONDS
from tests.router.conftest import COMPLETE, COMPLETION

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    """The certificates that a client trusts."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def certify(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """The certificate of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def test_a_connection_over_tls_is_used_again(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    async with (
        FakeUpstream(COMPLETE, tls=certify(authority, "127.0.0.1")) as provider,
        connect(tls=trust) as upstream,
    ):
        assert [await ask(upstream, provider.url) for _ in range(3)] == [(200, COMPLETION)] * 3
    assert provider.connections == 1


async def test_http_1_1_is_what_is_offered(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    chosen: list[str | None] = []

    async def note(exchange: UpstreamExchange) -> None:
        chosen.append(exchange.protocol)
        await exchange.answer(COMPLETION)

    tls = certify(authority, "127.0.0.1")
    tls.set_alpn_protocols(["h2", "http/1.1"])
    async with FakeUpstream(note, tls=tls) as provider, connect(tls=trust) as upstream:
        await ask(upstream, provider.url)
    assert chosen == ["http/1.1"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(authority: trustme.CA) -> None:
    async with FakeUpstream(COMPLETE, tls=certify(authority, "127.0.0.1")) as provider, connect() as upstream:
        with pytest.raises(UpstreamUnreachableError, match=f"^No connection to {provider.url}: .*certificate"):
            await ask(upstream, provider.url)
    assert provider.exchanges == []


async def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    async with (
        FakeUpstream(COMPLETE, tls=certify(authority, "other.test")) as provider,
        connect(tls=trust) as upstream,
    ):
        with pytest.raises(UpstreamUnreachableError, match="certificate"):
            await ask(upstream, provider.url)
    assert provider.exchanges == []


async def test_a_provider_without_tls_is_unreachable_over_it(trust: ssl.SSLContext) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server, connect(tls=trust) as upstream:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UpstreamUnreachableError, match=f"^No connection to {url}: "):
            await ask(upstream, url)


async def test_large_bodies_and_streams_pass_both_ways(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    body = bytes(range(256)) * (4 * MIB // 256)

    async def echo(exchange: UpstreamExchange) -> None:
        await exchange.start_stream()
        await exchange.chunk(exchange.body)
        await exchange.chunk(b"")

    async with (
        FakeUpstream(echo, tls=certify(authority, "127.0.0.1")) as provider,
        connect(tls=trust) as upstream,
    ):
        for _ in range(2):
            status, echoed = await ask(upstream, provider.url, body)
            assert (status, echoed == body) == (200, True)
    assert provider.connections == 1


async def test_a_cancelled_request_closes_its_connection_at_once(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange: UpstreamExchange) -> None:
        asked.set()
        await exchange.gone()
        left.set()

    async with (
        FakeUpstream(wait, tls=certify(authority, "127.0.0.1")) as provider,
        connect(tls=trust) as upstream,
    ):
        asking = asyncio.create_task(read_stream(upstream, provider.url))
        await asked.wait()
        asking.cancel()
        await asyncio.wait_for(left.wait(), PATIENCE_SECONDS)


async def test_an_idle_connection_that_the_provider_ends_is_not_used_again(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    async def answer_and_leave(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION)
        exchange.close()

    tls = certify(authority, "127.0.0.1")
    async with FakeUpstream(answer_and_leave, tls=tls) as provider, connect(tls=trust) as upstream:
        assert [await ask(upstream, provider.url) for _ in range(2)] == [(200, COMPLETION)] * 2
    assert provider.connections == 2


class Tunnels:
    """A proxy that leads where it is asked to, and remembers whereto."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.url = ""
        self.tasks: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        host, _, port = head.split()[1].rpartition(":")
        there_reader, there_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))
        for each in (writer, there_writer):
            each.transport.abort()
            with suppress(OSError):
                await each.wait_closed()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


@asynccontextmanager
async def running_tunnels(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Tunnels, None]:
    tunnels = Tunnels()
    async with await asyncio.start_server(tunnels.serve, "127.0.0.1", 0, ssl=tls) as server:
        scheme = "http" if tls is None else "https"
        tunnels.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield tunnels
        await asyncio.wait([task for task in tunnels.tasks if task is not None])


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http proxy", "https proxy"])
async def test_https_goes_through_a_tunnel(
    authority: trustme.CA,
    trust: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    proxy_tls: bool,  # noqa: FBT001 - parametrized
) -> None:
    tls = certify(authority, "127.0.0.1")
    async with (
        FakeUpstream(COMPLETE, tls=tls) as provider,
        running_tunnels(tls if proxy_tls else None) as tunnels,
    ):
        monkeypatch.setenv("https_proxy", tunnels.url.replace("://", "://me:se%40cret@"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with connect(tls=trust, proxy_from_environment=True) as upstream:
            assert [await ask(upstream, provider.url) for _ in range(2)] == [(200, COMPLETION)] * 2
    target = provider.url.removeprefix("https://")
    [head] = tunnels.heads
    assert head.splitlines()[:3] == [
        f"CONNECT {target} HTTP/1.1",
        f"host: {target}",
        "proxy-authorization: Basic bWU6c2VAY3JldA==",
    ]
    assert "proxy-authorization" not in provider.exchanges[0].headers


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b""],
    ids=["refused", "another protocol", "nothing"],
)
async def test_a_tunnel_that_does_not_open_is_told(
    trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with connect(tls=trust, proxy_from_environment=True) as upstream:
            with pytest.raises(UpstreamUnreachableError, match=r"^No connection to https://provider\.test: .*roxy"):
                await upstream.send(request_to("https://provider.test"))
