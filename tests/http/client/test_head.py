"""A request's head: nothing in it ends a line early, and the body's length is ours to state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import UpstreamError
from plano_agents.http.client import UpstreamRequest
from plano_agents.http.client.head import HeaderLines, encode_line
from plano_agents.http_syntax import MAX_KEPT_LINES
from plano_agents.testing import FakeUpstream
from tests.http.client.conftest import connect
from tests.router.conftest import COMPLETE, KEY

texts = st.text(max_size=30) | st.text("\r\n\t :ab\0\x7fé€", max_size=10)


@given(name=texts, value=texts)
def test_a_header_line_is_one_line_or_an_error(name: str, value: str) -> None:
    try:
        line = encode_line(name, value)
    except UpstreamError:
        return
    assert line == f"{name}: {value}\r\n".encode("latin-1")
    assert (line.count(b"\r"), line.count(b"\n"), line.count(b"\0")) == (1, 1, 0)
    assert ":" not in name
    assert " " not in name


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "", "a b", "a:", "a\r\nb", "é"])
def test_what_is_no_header_of_the_callers_is_refused(name: str) -> None:
    with pytest.raises(UpstreamError, match="cannot have the header"):
        encode_line(name, "1")


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}\r\nx-evil: 1", f"{KEY}\0", f"{KEY}€"])
async def test_a_value_that_ends_its_line_is_refused_and_not_told(value: str) -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        with pytest.raises(UpstreamError, match="'authorization'") as caught:
            await upstream.send(UpstreamRequest(provider.url, {"authorization": value}, b"{}"))
    assert KEY not in caught.value.message
    assert provider.connections == 0


def test_no_more_lines_are_remembered_than_may_be() -> None:
    lines = HeaderLines()
    for number in range(1000):
        assert lines["x-request-id", str(number)] == b"x-request-id: %d\r\n" % number
        assert lines["content-type", "application/json"] == b"content-type: application/json\r\n"
    assert len(lines) <= MAX_KEPT_LINES


async def test_host_and_accept_are_the_callers_where_it_names_them() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:
        headers = {"host": "other.test", "accept": "text/plain"}
        async with await upstream.send(UpstreamRequest(provider.url, headers, b"{}")) as response:
            await response.read()
    lines = provider.exchanges[0].head.strip().split("\r\n")
    assert lines == ["POST / HTTP/1.1", "host: other.test", "accept: text/plain", "content-length: 2"]


async def test_an_empty_body_is_said_to_be_empty() -> None:
    async with FakeUpstream(COMPLETE) as provider, connect() as upstream:  # noqa: SIM117 - reads in order
        async with await upstream.send(UpstreamRequest(provider.url, {}, b"")) as response:
            await response.read()
    assert "content-length: 0\r\n" in provider.exchanges[0].head
