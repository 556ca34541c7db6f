"""Addresses of stores."""

import pytest

from plano_agents.config.store_url import Node, parse_store_url


@pytest.mark.parametrize(
    ("url", "name", "nodes"),
    [
        ("redis://localhost", "redis://localhost:6379", [Node("localhost", 6379)]),
        ("rediss://u:secret@h:7000/3?ssl_ca_certs=/x", "rediss://h:7000", [Node("h", 7000)]),
        ("redis://:secret@[::1]:7000", "redis://[::1]:7000", [Node("::1", 7000)]),
        (
            "redis+sentinel://u:secret@a,b:1,[::1]:2/main/3?sentinel_password=other",
            "redis+sentinel://a:26379,b:1,[::1]:2/main",
            [Node("a", 26379), Node("b", 1), Node("::1", 2)],
        ),
        (
            "rediss+cluster://:secret@a:7000,b",
            "rediss+cluster://a:7000,b:6379",
            [Node("a", 7000), Node("b", 6379)],
        ),
    ],
)
def test_an_address_is_named_without_its_secrets(url: str, name: str, nodes: list[Node]) -> None:
    parsed = parse_store_url(url)
    assert parsed.name == name
    assert [*parsed.nodes] == nodes
    assert "secret" not in repr(parsed) + parsed.name
    assert "other" not in repr(parsed) + parsed.name


def test_each_server_of_a_store_is_asked_as_the_stores_address_says() -> None:
    parsed = parse_store_url("rediss+sentinel://u:p%40ss@a/main/3?ssl_ca_certs=/x&sentinel_password=other")
    assert parsed.for_server(Node("::1", 7000)) == "rediss://u:p%40ss@[::1]:7000/3?ssl_ca_certs=%2Fx"
    assert parsed.sentinel_options == (("password", "other"),)


@pytest.mark.parametrize("kind", ["redis+cluster://a", "redis+sentinel://a/main"])
def test_a_server_is_reached_by_another_address_than_it_announces(kind: str) -> None:
    parsed = parse_store_url(f"{kind}?nat=10.0.0.5:7000=h:1,10.0.0.6=[::1]:2&ssl_ca_certs=/x")
    asked = [Node("10.0.0.5", 7000), Node("10.0.0.6", 6379), Node("10.0.0.5", 6379)]
    assert [parsed.reach(each) for each in asked] == [Node("h", 1), Node("::1", 2), Node("10.0.0.5", 6379)]
    assert parsed.options == (("ssl_ca_certs", "/x"),)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://localhost", "begins with none of redis://"),
        ("redis+other://localhost", "begins with none of redis://"),
        ("redis://", "lacks a host"),
        ("redis://a,b", "several servers"),
        ("redis://h:70000", "no number up to 65535"),
        ("redis://h:0", "ports is 0"),
        ("redis+sentinel://a,b", "lacks the master's name"),
        ("redis+sentinel://a,,b/main", "lacks a host"),
        ("redis+cluster://a/3", "a Cluster has one alone"),
        ("redis+cluster://a?nat=10.0.0.5:6379", "not announced=reachable"),
        ("redis+cluster://a?nat=10.0.0.5:6379=b,", "not announced=reachable"),
        ("redis+cluster://a?nat=10.0.0.5:x=b", "no number up to 65535"),
    ],
)
def test_what_is_no_address_of_a_store_is_refused_without_its_secrets(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as raised:
        parse_store_url(url.replace("//", "//u:secret@", 1))
    assert "secret" not in str(raised.value)


def test_a_password_that_is_not_written_as_urls_want_it_is_not_told() -> None:
    with pytest.raises(ValueError, match="no number") as raised:
        parse_store_url("redis://user:sec/ret@host")
    assert "sec" not in str(raised.value)
    assert raised.value.__cause__ is None
