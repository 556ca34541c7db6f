"""HTTP's syntax: names, values, addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.http_syntax import is_host, split_address


@pytest.mark.parametrize(
    "host",
    ["a", "a.b.", "localhost", "::1", "10.0.0.1", "a" * 63, ".".join(["a" * 61] * 4), "my_host-1.example"],
)
def test_what_can_be_looked_up_is_a_host(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize("host", ["", ".", "a..b", ".a", "a..", "a" * 64, "b." + "a" * 64, ".".join(["a" * 62] * 5)])
def test_empty_and_overlong_labels_are_no_host(host: str) -> None:
    assert not is_host(host)


@given(st.text(alphabet="ab.", max_size=80))
def test_what_is_a_host_can_be_encoded_for_the_resolver(host: str) -> None:
    if is_host(host):
        assert host.encode("idna") == host.encode()


@given(st.text())
def test_any_text_is_an_address_or_not(url: str) -> None:
    split_address(url, frozenset({"http"}))
