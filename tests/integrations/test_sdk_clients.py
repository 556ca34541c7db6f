# ruff: noqa: ANN401 - a client is any of four classes
"""The SDKs' clients with affinity, against a real router."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from plano_agents import model_affinity
from plano_agents.anthropic import Anthropic, AsyncAnthropic
from plano_agents.errors import InvalidAffinityIdError
from plano_agents.openai import AsyncOpenAI, OpenAI
from plano_agents.testing import FakeUpstream, give
from tests.integrations.router_view import RouterView

MESSAGES: Any = [{"role": "user", "content": "hello"}]
SYNC = [OpenAI, Anthropic]
ASYNC = [AsyncOpenAI, AsyncAnthropic]
BASES: dict[type, type] = {
    OpenAI: openai.OpenAI,
    AsyncOpenAI: openai.AsyncOpenAI,
    Anthropic: anthropic.Anthropic,
    AsyncAnthropic: anthropic.AsyncAnthropic,
}


def ask(client: Any, **options: Any) -> Any:
    """Ask for an answer by the client's own first surface; of an asynchronous client, to be awaited."""
    if isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
        return client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, **options)
    return client.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=MESSAGES, **options)


@pytest.fixture
def view(offline_router: str, monkeypatch: pytest.MonkeyPatch) -> RouterView:
    """The router that clients find in the environment."""
    monkeypatch.setenv("PLANO_BASE_URL", offline_router)
    return RouterView(offline_router)


@pytest.fixture
def affinity_id() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("kind", SYNC)
def test_requests_carry_the_scopes_id_plain_and_streamed(kind: Any, view: RouterView, affinity_id: str) -> None:
    unnamed = view.count_unnamed()
    with kind() as client, model_affinity(affinity_id):
        ask(client)
        for _ in ask(client, stream=True):
            pass
    assert (view.turns(affinity_id), view.count_unnamed()) == (2, unnamed)


@pytest.mark.parametrize("kind", ASYNC)
async def test_asynchronous_requests_carry_the_id_of_the_scope_their_task_was_made_in(
    kind: Any, view: RouterView, affinity_id: str
) -> None:
    async with kind() as client:
        async with model_affinity(affinity_id):
            await ask(client)
            async for _ in await ask(client, stream=True):
                pass
            task = asyncio.create_task(ask(client))
        await task
    assert view.turns(affinity_id) == 3


def test_the_responses_surface_carries_it_too(view: RouterView, affinity_id: str) -> None:
    with OpenAI(affinity_id=affinity_id) as client:
        client.responses.create(model="gpt-4o-mini", input="hello", store=False)
    assert view.turns(affinity_id) == 1


@pytest.mark.parametrize("kind", SYNC)
def test_the_calls_header_outranks_the_client_and_the_client_the_scope(
    kind: Any, view: RouterView, affinity_id: str
) -> None:
    with kind(affinity_id=f"{affinity_id}-client") as client, model_affinity(f"{affinity_id}-scope"):
        ask(client, extra_headers={"x-model-affinity": f"{affinity_id}-call"})
        ask(client)
        ask(client.with_options(affinity_id=f"{affinity_id}-options"))
        ask(client.with_options(max_retries=0))
    counts = {kind: view.turns(f"{affinity_id}-{kind}") for kind in ("call", "client", "options", "scope")}
    assert counts == {"call": 1, "client": 2, "options": 1, "scope": 0}


@pytest.mark.parametrize("kind", SYNC)
def test_without_any_id_no_header_is_sent(kind: Any, view: RouterView) -> None:
    unnamed = view.count_unnamed()
    with kind() as client:
        ask(client)
    assert view.count_unnamed() == unnamed + 1


@pytest.mark.parametrize("kind", [*SYNC, *ASYNC])
def test_a_client_is_the_sdks_and_takes_what_it_takes(kind: Any) -> None:
    client = kind(base_url="http://h:1", api_key="key", timeout=3, max_retries=7)
    assert issubclass(kind, BASES[kind])
    assert (client.api_key, client.timeout, client.max_retries) == ("key", 3, 7)
    path = "/v1" if issubclass(kind, openai.OpenAI | openai.AsyncOpenAI) else ""
    assert str(client.base_url).rstrip("/") == f"http://h:1{path}"


@pytest.mark.parametrize("kind", [*SYNC, *ASYNC])
def test_a_bad_id_or_address_is_refused_at_once(kind: Any) -> None:
    with pytest.raises(InvalidAffinityIdError, match="visible ASCII"):
        kind(affinity_id="two words")
    with pytest.raises(ValueError, match=r"'127\.0\.0\.1:12000'"):
        kind(base_url="127.0.0.1:12000")


def test_nothing_of_a_providers_environment_is_sent(router: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://stolen.invalid")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer stolen")
    monkeypatch.setenv("PLANO_API_KEY", "client-key")
    with OpenAI(base_url=router.url) as client, client.with_options(timeout=30) as copied:
        ask(client)
        ask(copied)
    for request in router.exchanges:
        assert request.headers["authorization"] == "Bearer client-key"
        assert "stolen" not in str(request.headers)


@pytest.fixture
def redirecting(view: RouterView) -> Iterator[str]:
    """A server that sends everybody on to the real router, which is another host's port."""

    with FakeUpstream(give(b"", status=307, headers={"location": f"{view.url}/chat/completions"})) as server:
        yield server.url


def test_a_redirect_is_not_followed_for_nobody_else_was_meant_to_see_the_id(
    redirecting: str, view: RouterView, affinity_id: str
) -> None:
    with (
        OpenAI(base_url=redirecting, max_retries=0) as client,
        model_affinity(affinity_id),
        pytest.raises(openai.APIStatusError) as caught,
    ):
        ask(client)
    assert caught.value.status_code == 307
    assert view.turns(affinity_id) == 0


async def test_no_redirect_is_followed_asynchronously_either(
    redirecting: str, view: RouterView, affinity_id: str
) -> None:
    async with AsyncOpenAI(base_url=redirecting, max_retries=0) as client:
        with model_affinity(affinity_id), pytest.raises(openai.APIStatusError):
            await ask(client)
    assert view.turns(affinity_id) == 0
