# ruff: noqa: ANN401 - a library is httpx or httpx2
"""`instrument`: whose requests carry the id, and whose never do."""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
import openai
import pytest

from plano_agents import bind_context, instrument, model_affinity, uninstrument
from plano_agents.integrations import httpx as instrumentation
from plano_agents.testing import FakeUpstream, UpstreamExchange, fail, say

AFFINITY_VALUES = re.compile(r"^x-model-affinity: (.*)\r$", re.IGNORECASE | re.MULTILINE)
LIBRARIES = [httpx, httpx2]
every_library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)


async def redirect_or_answer(exchange: UpstreamExchange) -> None:
    """Answer every request; ``/to/URL`` sends elsewhere."""
    _, found, target = exchange.path.partition("/to/")
    await exchange.answer(b"", status=307 if found else 200, headers={"location": target} if found else {})


def list_ids(upstream: FakeUpstream) -> list[list[str]]:
    """The values of each request's affinity headers."""
    return [AFFINITY_VALUES.findall(exchange.head) for exchange in upstream.exchanges]


@pytest.fixture
def servers() -> Iterator[tuple[FakeUpstream, FakeUpstream]]:
    """A router's address, and a third party's."""
    with FakeUpstream(redirect_or_answer) as ours, FakeUpstream(redirect_or_answer) as theirs:
        yield ours, theirs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = [vars(client)["_send_single_request"] for client in all_clients()]
    yield
    uninstrument()
    assert [vars(client)["_send_single_request"] for client in all_clients()] == before


def all_clients() -> list[Any]:
    return [client for library in LIBRARIES for client in (library.Client, library.AsyncClient)]


@every_library
async def test_requests_to_a_router_carry_the_scopes_id(
    library: Any, servers: tuple[FakeUpstream, FakeUpstream]
) -> None:
    ours, _ = servers
    with library.Client() as before, model_affinity("run-1"):
        instrument(ours.url)
        before.get(ours.url)
        library.post(f"{ours.url}/v1/chat/completions", json={})
        with before.stream("GET", ours.url) as answer:
            answer.read()
        async with library.AsyncClient() as client:
            await client.get(ours.url)
    assert list_ids(ours) == [["run-1"]] * 4


@every_library
async def test_nobody_else_is_ever_told(library: Any, servers: tuple[FakeUpstream, FakeUpstream]) -> None:
    ours, theirs = servers
    instrument(ours.url)
    with model_affinity("run-1"):
        library.get(theirs.url)
        library.get(f"{theirs.url}/to/{theirs.url}/{ours.url}", follow_redirects=True)
        async with library.AsyncClient() as client:
            await client.get(theirs.url)
    assert list_ids(theirs) == [[]] * 4


@every_library
async def test_a_redirect_elsewhere_leaves_the_id_behind_and_one_within_keeps_it(
    library: Any, servers: tuple[FakeUpstream, FakeUpstream]
) -> None:
    ours, theirs = servers
    instrument(ours.url)
    with model_affinity("run-1"):
        library.get(f"{ours.url}/to/{theirs.url}/x", follow_redirects=True)
        library.get(f"{ours.url}/to/{ours.url}/x", follow_redirects=True)
        async with library.AsyncClient(follow_redirects=True) as client:
            await client.get(f"{ours.url}/to/{theirs.url}/x")
    assert list_ids(ours) == [["run-1"]] * 4
    assert list_ids(theirs) == [[], []]


@every_library
def test_a_look_alike_of_a_router_is_not_one(library: Any, servers: tuple[FakeUpstream, FakeUpstream]) -> None:
    ours, theirs = servers
    instrument(f"{ours.url}/gateway")
    with model_affinity("run-1"):
        for url in (ours.url, f"{ours.url}/gateway2", f"{ours.url}/x/gateway"):
            library.get(url)
        library.get(theirs.url.replace("127.0.0.1", f"{urlsplit(ours.url).netloc}@127.0.0.1"))
        library.get(f"{ours.url}/gateway/v1/models")
    assert list_ids(ours) == [[], [], [], ["run-1"]]
    assert list_ids(theirs) == [[]]


@every_library
def test_the_names_of_this_machine_are_one_host(library: Any, servers: tuple[FakeUpstream, FakeUpstream]) -> None:
    ours, _ = servers
    instrument(ours.url.replace("127.0.0.1", "localhost"))
    with model_affinity("run-1"):
        library.get(ours.url)
    assert list_ids(ours) == [["run-1"]]


@every_library
def test_an_id_of_the_callers_own_is_kept_and_none_is_made_up(
    library: Any, servers: tuple[FakeUpstream, FakeUpstream]
) -> None:
    ours, _ = servers
    instrument(ours.url)
    library.get(ours.url)
    with model_affinity("run-1"):
        library.get(ours.url, headers={"x-MODEL-affinity": "own"})
    assert list_ids(ours) == [[], ["own"]]


def test_a_retry_carries_the_id_too() -> None:
    with FakeUpstream(fail(503, retry_after_ms="1"), say("hello")) as ours:
        instrument(ours.url)
        with (
            openai.OpenAI(base_url=ours.url, api_key="none", max_retries=1) as client,
            model_affinity("run-1"),
        ):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    assert list_ids(ours) == [["run-1"]] * 2


def test_an_sdk_that_knows_nothing_of_it_is_reached(router: FakeUpstream) -> None:
    instrument(router.url)
    with openai.OpenAI(base_url=f"{router.url}/v1", api_key="none") as client, model_affinity("run-1"):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    assert router.affinity_ids == ["run-1"]


def test_a_bare_thread_needs_bind_context(
    servers: tuple[FakeUpstream, FakeUpstream], in_thread: Callable[[Callable[[], object]], None]
) -> None:
    ours, _ = servers
    instrument(ours.url)
    with model_affinity("run-1"):
        in_thread(lambda: httpx.get(ours.url))
        in_thread(bind_context(lambda: httpx.get(ours.url)))
    assert list_ids(ours) == [[], ["run-1"]]


def test_addresses_add_up_and_are_left_out_one_by_one(servers: tuple[FakeUpstream, FakeUpstream]) -> None:
    ours, theirs = servers
    instrument(ours.url)
    instrument(f"{theirs.url}/v1", ours.url)
    uninstrument(ours.url)
    with model_affinity("run-1"):
        httpx.get(ours.url)
        httpx.get(theirs.url)
        uninstrument()
        httpx.get(theirs.url)
    assert (list_ids(ours), list_ids(theirs)) == ([[]], [["run-1"], []])


def test_without_an_address_the_environments_router_is_meant(
    servers: tuple[FakeUpstream, FakeUpstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = servers
    monkeypatch.setenv("PLANO_BASE_URL", f"{ours.url}/v1")
    instrument()
    with model_affinity("run-1"):
        httpx.get(ours.url)
    assert list_ids(ours) == [["run-1"]]


def test_whoever_hooked_in_later_is_left_in_place(
    servers: tuple[FakeUpstream, FakeUpstream], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = servers
    with monkeypatch.context() as patch:
        instrument(ours.url)
        inner = vars(httpx.Client)["_send_single_request"]
        later = functools.partialmethod(inner)
        patch.setattr(httpx.Client, "_send_single_request", later)
        uninstrument()
        assert vars(httpx.Client)["_send_single_request"] is later
        with model_affinity("run-1"):
            httpx.get(ours.url)
        patch.setattr(httpx.Client, "_send_single_request", inner.__wrapped__)
        assert list_ids(ours) == [[]]
    httpx.Client._send_single_request = inner.__wrapped__  # type: ignore[method-assign] # what the patch found was ours


def test_an_address_in_ipv6_is_the_same_in_either_case() -> None:
    written, asked = (
        instrumentation._parse_address(httpx2.URL(url)) for url in ("http://[FE80::A]:1", "http://[fe80::a]:1/v1")
    )
    assert written.covers(asked)


def test_what_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("router:1", "http://router:abc", "http://ro uter"):
        with pytest.raises(ValueError, match=f"'{url}'"):
            instrument(url)
    with monkeypatch.context() as patch:
        patch.setattr(instrumentation, "_HOOK", "_send_otherwise")
        with pytest.raises(RuntimeError, match=r"httpx '0\.\d+.*_send_otherwise"):
            instrument("http://router:1")
    with monkeypatch.context() as patch:
        patch.setattr(instrumentation, "LIBRARIES", ("no_such_library",))
        with pytest.raises(RuntimeError, match="neither is installed"):
            instrument("http://router:1")
