"""The destination of a URL: host, port, target, and the proxy that the environment names."""

import socket

import pytest

from plano_agents.errors import UpstreamError
from plano_agents.http.client import dial
from plano_agents.http.client.destination import Proxies, Proxy, parse_destination
from plano_agents.testing import FakeUpstream
from tests.http.client.conftest import ask, connect
from tests.router.conftest import COMPLETE, COMPLETION

NONE = Proxies(environment=False)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("url", "label", "target", "host"),
    [
        ("http://a.test/v1", "http://a.test", b"/v1", b"host: a.test\r\n"),
        ("https://a.test:443/v1?x=1#part", "https://a.test", b"/v1?x=1", b"host: a.test\r\n"),
        ("https://a.test:80", "https://a.test:80", b"/", b"host: a.test:80\r\n"),
        ("http://[::1]:8080/v1", "http://[::1]:8080", b"/v1", b"host: [::1]:8080\r\n"),
        ("http://A.Test/%2F a/ü", "http://a.test", b"/%2F%20a/%C3%BC", b"host: a.test\r\n"),
        ("http://bücher.test/", "http://xn--bcher-kva.test", b"/", b"host: xn--bcher-kva.test\r\n"),
        ("http://me:secret@a.test/", "http://a.test", b"/", b"host: a.test\r\n"),
    ],
)
def test_a_url_is_taken_apart(url: str, label: str, target: bytes, host: bytes) -> None:
    found = parse_destination(url, NONE)
    assert (found.origin.label, found.target, found.host) == (label, target, host)


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "a.test/v1", "http://", "http://a.test:x/", "http://[::1/", "http://a b/"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UpstreamError, match="base_url"):
        parse_destination(url, NONE)


def test_a_query_is_not_told_in_an_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_destination("ftp://a.test/?key=canary", NONE)
    assert "canary" not in caught.value.message


def test_a_line_break_in_a_url_ends_no_line() -> None:
    found = parse_destination("http://a.test/v1\r\nx-evil: 1?y=\r\nz", NONE)
    assert b"\r" not in found.target + found.host.removesuffix(b"\r\n")
    assert b"\n" not in found.target + found.host.removesuffix(b"\r\n")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_the_proxy_of_the_scheme_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy.test:3128")
    proxies = Proxies(environment=True)
    assert parse_destination("https://a.test/", proxies).origin.proxy == Proxy("proxy.test", 3128, tls=False)
    assert parse_destination("http://a.test/", proxies).origin.proxy is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("a.test", "http://a.test/", True),
        ("a.test", "http://b.a.test/", True),
        (".a.test", "http://b.a.test/", True),
        ("a.test", "http://notaa.test/", False),
        ("a.test:8080", "http://a.test:8080/", True),
        ("a.test:8080", "http://a.test/", False),
        ("127.0.0.1,localhost", "http://127.0.0.1:9/", True),
        ("*", "http://a.test/", True),
        ("", "http://a.test/", False),
    ],
)
def test_hosts_named_in_no_proxy_are_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    url: str,
    is_direct: bool,  # noqa: FBT001 - parametrized
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (parse_destination(url, Proxies(environment=True)).origin.proxy is None) == is_direct


@pytest.mark.parametrize("url", ["socks5://proxy.test:1080", "http://", "http://proxy.test:x"])
def test_a_proxy_that_is_not_spoken_is_an_error(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    with pytest.raises(UpstreamError, match="HTTP_PROXY"):
        parse_destination("http://a.test/", Proxies(environment=True))


async def test_http_is_asked_of_a_proxy_by_its_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeUpstream(COMPLETE) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://me:pass@"))
        async with connect(proxy_from_environment=True) as upstream:
            assert [await ask(upstream, "http://provider.test:81") for _ in range(2)] == [(200, COMPLETION)] * 2
    lines = proxy.exchanges[0].head.splitlines()
    assert lines[0] == "POST http://provider.test:81/v1/chat/completions HTTP/1.1"
    assert {"host: provider.test:81", "proxy-authorization: Basic bWU6cGFzcw=="} <= set(lines)
    assert proxy.connections == 1


async def test_an_address_of_ipv6_is_connected_to() -> None:
    async with FakeUpstream(COMPLETE, host="::1") as provider, connect() as upstream:
        port = provider.url.rpartition(":")[2]
        assert await ask(upstream, f"http://[::1]:{port}") == (200, COMPLETION)
    assert provider.exchanges[0].head.splitlines()[1] == f"host: [::1]:{port}"


@pytest.mark.parametrize("silent", ["::1", "100::1"], ids=["refused", "lost"])
async def test_a_name_with_several_addresses_leads_to_the_one_that_answers(
    monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """100::/64 is for addresses that lead nowhere (RFC 6666)."""

    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        stream = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, stream, 6, "", (silent, port, 0, 0)),
            (socket.AF_INET, stream, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(dial, "resolve", resolve)
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        port = int(provider.url.rpartition(":")[2])
        assert await ask(upstream, f"http://provider.test:{port}") == (200, COMPLETION)
