"""The router's address: completed, refused, shown."""

import pytest

from plano_agents.integrations.router_address import build_base_url, name_url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://h:abc", "Port"),
        ("http://h:99999", "Port"),
        ("http://[::1", "IPv6"),
        ("http://a b", "host"),
        ("h:1", "starts with http://"),
        ("http://", "names a host"),
    ],
)
def test_what_is_no_address_is_told_with_the_address(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        build_base_url(url)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@h:abc",
        "http://me:secret@h:1/v1?x=1",
        "http://me:secret@",
        "me:secret@h:1",
        "http://me:sec@secret@h:1#x",
    ],
)
def test_a_refused_address_shows_no_password(url: str) -> None:
    with pytest.raises(ValueError, match="router's address") as caught:
        build_base_url(url)
    assert "secret" not in str(caught.value)
    assert "me:" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h:1/v1", "http://h:1/v1"),
        ("http://me:secret@h:1/v1", "http://…@h:1/v1"),
        ("http://h:1/a@b", "http://h:1/a@b"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert name_url(url) == shown
