"""Requests that a server without keys answers, and those that it refuses."""

import gc
import weakref

import pytest

from plano_agents.errors import ForeignHostError, ForeignPageError, PlanoError, UnsupportedMediaTypeError
from plano_agents.http.origin import KeylessDoor, find_peer, is_json, is_loopback_address, is_loopback_name

JSON = {"content-type": "application/json", "content-length": "2"}
HERE = {"host": "127.0.0.1:12000"}
LOCAL, BESIDE = "127.0.0.1", "172.17.0.1"
REBOUND = {"host": "evil.example:12000"}

LOOPBACK_NAMES = (
    "127.0.0.1", "127.9.9.9:80", "localhost", "LocalHost:12000", "agents.localhost:1", "[::1]:12000", "[::1]"
)  # fmt: skip
OTHER_NAMES = (
    "evil.example", "evil.example:12000", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "",
    "10.0.0.1", "0.0.0.0:12000", "[::2]:12000", "localhost.", "router",
)  # fmt: skip
OTHER_PAGES = (
    {"origin": "https://evil.example"},
    {"origin": "http://evil.example:12000", "sec-fetch-site": "same-origin"},
    {"origin": "http://localhost.evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "file://"},
    {"origin": "chrome-extension://aaaa"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none, cross-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "document"},
)
OWN_PAGES: tuple[dict[str, str], ...] = (
    {},
    {"origin": "http://127.0.0.1:12000"},
    {"origin": "http://127.0.0.1:12000", "sec-fetch-site": "same-origin"},
    {"origin": "http://localhost:3000", "sec-fetch-site": "cross-site"},
    {"origin": "http://[::1]:3000"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-origin"},
)
OTHER_TYPES = (
    None, "", "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "text/plain; application/json", "application/octet-stream",
    "application/json, text/plain", "text/plain+json", "application/jsonp",
)  # fmt: skip


def check(
    headers: dict[str, str],
    peer: str | None = LOCAL,
    *,
    method: str = "POST",
    hosts: tuple[str, ...] = (),
    origins: tuple[str, ...] = (),
) -> type[PlanoError] | None:
    """Knock: None where the request is let in, else the refusal's kind."""
    door = KeylessDoor(hosts, origins)
    try:
        door.check(method, headers, peer)
    except PlanoError as error:
        return type(error)
    return None


@pytest.mark.parametrize("host", LOOPBACK_NAMES)
def test_a_loopback_name_is_answered(host: str) -> None:
    assert check({**JSON, "host": host}) is None


@pytest.mark.parametrize("host", OTHER_NAMES)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.6", "::1", "::ffff:127.0.0.1"])
def test_a_peer_on_this_machine_that_uses_another_name_is_refused(host: str, method: str, peer: str) -> None:
    """A page whose own name was pointed at this machine sends that name."""
    assert check({**JSON, "host": host}, peer, method=method) is ForeignHostError


def test_a_request_without_a_host_is_refused() -> None:
    assert check(JSON) is ForeignHostError


@pytest.mark.parametrize("peer", [BESIDE, "2001:db8::1", None])
def test_other_peers_may_use_any_name_where_no_host_is_named(peer: str | None) -> None:
    assert check({**JSON, "host": "router:12000"}, peer) is None


@pytest.mark.parametrize("peer", [LOCAL, BESIDE, None])
@pytest.mark.parametrize(
    ("host", "refusal"),
    [
        ("router:12000", None),
        ("ROUTER", None),
        ("a.example.test", None),
        ("b.a.example.test:80", None),
        ("10.0.0.7:12000", None),
        ("[fd00::7]:12000", None),
        ("localhost", None),
        ("example.test", ForeignHostError),
        ("aexample.test", ForeignHostError),
        ("router.evil.example", ForeignHostError),
        ("10.0.0.8", ForeignHostError),
    ],
)
def test_where_hosts_are_named_every_peer_uses_one_of_them_or_loopbacks(
    peer: str | None, host: str, refusal: type[PlanoError] | None
) -> None:
    hosts = ("router", "*.example.test", "10.0.0.7", "fd00::7")
    assert check({**JSON, "host": host}, peer, hosts=hosts) is refusal


@pytest.mark.parametrize("page", OTHER_PAGES)
@pytest.mark.parametrize("peer", [LOCAL, BESIDE, None])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_page_of_another_site_is_refused(page: dict[str, str], peer: str | None, method: str) -> None:
    assert check({**JSON, **HERE, **page}, peer, method=method) is ForeignPageError


@pytest.mark.parametrize("page", OWN_PAGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_programs_and_pages_of_this_machine_are_answered(page: dict[str, str], method: str) -> None:
    assert check({**JSON, **HERE, **page}, method=method) is None


def test_a_link_on_another_site_opens_a_page_in_a_tab_and_sends_nothing_else() -> None:
    clicked = {
        **HERE,
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    assert check(clicked, method="GET") is None
    assert check({**clicked, **JSON}, method="POST") is ForeignPageError
    assert check({**clicked, **REBOUND}, method="GET") is ForeignHostError


def test_pages_of_allowed_hosts_and_origins_are_answered() -> None:
    page = {**JSON, **HERE, "origin": "https://app.example.test", "sec-fetch-site": "cross-site"}
    assert check(page, hosts=("*.example.test",)) is None
    assert check(page, origins=("https://app.example.test",)) is None
    assert check(page, origins=("https://app.example.test:8443",)) is ForeignPageError
    assert check({**page, "origin": "null"}, origins=("*",)) is None
    assert check({**page, **REBOUND}, origins=("*",)) is ForeignHostError


@pytest.mark.parametrize("content_type", OTHER_TYPES)
@pytest.mark.parametrize("peer", [LOCAL, BESIDE])
def test_a_body_that_is_not_declared_as_json_is_refused(content_type: str | None, peer: str) -> None:
    headers = {**HERE, "content-length": "2"}
    if content_type is not None:
        headers["content-type"] = content_type
    assert check(headers, peer, origins=("*",)) is UnsupportedMediaTypeError


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"])
def test_json_is_known_in_all_its_forms(content_type: str) -> None:
    assert is_json(content_type)


@pytest.mark.parametrize("length", [{}, {"content-length": "0"}])
def test_a_request_without_a_body_needs_no_type(length: dict[str, str]) -> None:
    assert check({**HERE, **length}) is None


def test_a_refused_form_is_told_what_curl_lacks() -> None:
    headers = {**HERE, "content-length": "2", "content-type": "application/x-www-form-urlencoded"}
    with pytest.raises(UnsupportedMediaTypeError, match="-H 'content-type: application/json'"):
        KeylessDoor().check("POST", headers, LOCAL)


def test_messages_repeat_little_of_what_was_sent() -> None:
    for headers in (
        {"host": "h" * 9_000},
        {**HERE, "origin": "o" * 9_000},
        {**HERE, "content-length": "2", "content-type": "t" * 9_000},
    ):
        with pytest.raises(PlanoError) as caught:
            KeylessDoor().check("POST", headers, LOCAL)
        assert len(caught.value.message) < 500


def test_a_refusal_that_is_remembered_keeps_nothing_of_the_request() -> None:
    class Headers(dict[str, str]):
        pass

    def knock() -> "weakref.ref[Headers]":
        headers = Headers(REBOUND)
        with pytest.raises(ForeignHostError):
            door.check("POST", headers, LOCAL)
        return weakref.ref(headers)

    door = KeylessDoor()
    kept = [knock() for _ in range(2)]
    gc.collect()
    assert [each() for each in kept] == [None, None]


@pytest.mark.parametrize("address", ["", "localhost", "10.0.0.1", "::2", "::ffff:10.0.0.1", "127.0.0.1.x"])
def test_other_addresses_are_not_this_machines(address: str) -> None:
    assert not is_loopback_address(address)


def test_a_name_that_ends_like_a_loopback_one_is_not_one() -> None:
    assert not is_loopback_name("evil-localhost")


def test_a_request_over_a_unix_socket_has_no_peer() -> None:
    assert find_peer({"type": "http", "client": None}) is find_peer({"type": "http"}) is None
