"""The session's key in the request to the provider: who gets it, whose it is, and who keeps it away."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from plano_agents.config.model import ModelProfile
from plano_agents.config.options import PromptCaching
from plano_agents.router.request.surfaces import CHAT, MESSAGES, RESPONSES, Endpoint, Surface
from tests.router.conftest import (
    CLAUDE,
    GPT,
    MESSAGE,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_service,
    chat,
)

ID = ("x-model-affinity", "run-1")
FIELD = "prompt_cache_key"
SAID = b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "output": [{}]}'
ASKED: Mapping[Surface, Mapping[str, object]] = {
    CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    RESPONSES: {"input": "hi"},
}


def body(surface: Surface, **fields: object) -> bytes:
    return json.dumps({"model": "gpt-4o", **ASKED[surface], **fields}).encode()


class Asked:
    """A router of one model whose requests to the provider are looked at."""

    def __init__(self, name: str = GPT, base_url: str | None = None, **fields: object) -> None:
        self.upstream = MemoryUpstream(MemoryResponse(pieces=(MESSAGE if name == CLAUDE else SAID,)))
        self._service = build_service(build_config(name, base_url=base_url, **fields), self.upstream)
        self.adjusted: str | None = None

    async def ask(self, sent: bytes, *headers: tuple[str, str], surface: Surface = CHAT) -> str | None:
        """Ask, and give the key in the body."""
        endpoint = Endpoint(surface)
        answer = await ask(self._service, sent, *headers, endpoint=endpoint)
        self.adjusted = answer.headers.get("x-plano-adjusted")
        found: str | None = self.sent.get(FIELD)
        return found

    @property
    def sent(self) -> Mapping[str, str]:
        """The last body."""
        read: Mapping[str, str] = json.loads(self.upstream.requests[-1].body)
        return read


@pytest.mark.parametrize("surface", [CHAT, MESSAGES, RESPONSES])
async def test_a_sessions_requests_have_one_key_passed_through_and_translated(surface: Surface) -> None:
    asked = Asked()
    first = await asked.ask(body(surface), ID, surface=surface)
    assert first is not None
    assert "run-1" not in first
    assert await asked.ask(body(surface), ID, surface=surface) == first
    assert await asked.ask(body(surface), ("x-model-affinity", "run-2"), surface=surface) not in {None, first}
    assert await asked.ask(body(surface), surface=surface) is None
    assert asked.adjusted is None


async def test_all_surfaces_of_a_session_have_the_same_key() -> None:
    asked = Asked()
    keys = {await asked.ask(body(each), ID, surface=each) for each in (CHAT, MESSAGES, RESPONSES)}
    assert len(keys) == 1


async def test_another_tenants_session_of_the_same_id_has_another_key() -> None:
    config = build_config()
    routing = replace(config.routing, session_cache=replace(config.routing.session_cache, tenant_header="x-tenant"))
    asked = Asked(routing=routing)
    assert await asked.ask(chat(), ID, ("x-tenant", "a")) != await asked.ask(chat(), ID, ("x-tenant", "b"))


@pytest.mark.parametrize("surface", [CHAT, RESPONSES])
async def test_a_clients_own_key_is_kept(surface: Surface) -> None:
    assert await Asked().ask(body(surface, prompt_cache_key="mine"), ID, surface=surface) == "mine"


@pytest.mark.parametrize("surface", [CHAT, RESPONSES])
async def test_a_null_is_no_key(surface: Surface) -> None:
    key = await Asked().ask(body(surface, prompt_cache_key=None), ID, surface=surface)
    assert key is not None


async def test_a_clients_own_key_is_kept_in_a_translation_too() -> None:
    asked = Asked("moonshotai/kimi-k2.5")
    sent = body(RESPONSES, model="kimi-k2.5", prompt_cache_key="mine")
    assert await asked.ask(sent, ID, surface=RESPONSES) == "mine"
    assert asked.adjusted is None


async def test_mistral_gets_a_sessions_key_and_no_field_that_a_client_meant_for_openai() -> None:
    asked = Asked("mistral/mistral-large")
    sent = body(CHAT, model="mistral-large", prompt_cache_key="mine")
    assert await asked.ask(sent) is None
    assert asked.adjusted == "prompt_cache_key dropped"
    assert await asked.ask(sent, ID) not in {None, "mine"}


async def test_the_key_is_all_that_a_body_gets() -> None:
    asked = Asked()
    sent = b'{"messages":[{"role":"user","content":"\xc3\xa9  \\u00e9"}] ,"x_new":  1.50, "model":"openai/gpt-4o"}'
    key = await asked.ask(sent, ID)
    assert asked.sent == {**json.loads(sent), "model": "gpt-4o", FIELD: key}
    assert b'"content":"\xc3\xa9  \\u00e9"' in asked.upstream.requests[0].body


async def test_a_provider_without_a_place_for_it_gets_none() -> None:
    asked = Asked(base_url="http://vllm:8000/v1")
    assert await asked.ask(chat(), ID) is None
    assert await Asked(CLAUDE).ask(body(MESSAGES, model=CLAUDE), ID, surface=MESSAGES) is None


async def test_a_key_goes_into_a_header_where_the_provider_reads_one() -> None:
    asked = Asked("xai/grok-4")
    assert await asked.ask(body(CHAT, model="grok-4"), ID) is None
    key = asked.upstream.requests[-1].headers["x-grok-conv-id"]
    assert await asked.ask(body(RESPONSES, model="grok-4"), ID, surface=RESPONSES) == key
    assert "x-grok-conv-id" not in asked.upstream.requests[-1].headers
    await asked.ask(body(CHAT, model="grok-4"), ID, ("x-grok-conv-id", "mine"))
    assert asked.upstream.requests[-1].headers["x-grok-conv-id"] == "mine"


async def test_a_client_may_turn_it_off_for_a_request() -> None:
    asked = Asked()
    assert await asked.ask(chat(), ID, ("x-plano-cache", "Off")) is None
    assert await asked.ask(chat(), ID, ("x-plano-cache", "on")) is not None


async def test_an_operator_may_turn_it_off() -> None:
    assert await Asked(prompt_caching=PromptCaching(session_keys=False)).ask(chat(), ID) is None


async def test_a_request_whose_cache_is_off_is_of_no_implicit_session() -> None:
    asked = Asked(prompt_caching=PromptCaching(enabled=True))
    assert await asked.ask(chat()) is not None
    assert await asked.ask(chat(), ("x-plano-cache", "off")) is None
    answer = await ask(asked._service, chat(), ("x-plano-cache", "off"))
    assert "x-plano-session" not in answer.headers


async def test_codexs_turn_state_comes_back() -> None:
    headers = {"content-type": "application/json", "x-codex-turn-state": "state"}
    upstream = MemoryUpstream(MemoryResponse(headers=headers))
    answer = await ask(build_service(build_config(), upstream), chat(), ID)
    assert answer.headers["x-codex-turn-state"] == "state"


LONG = [{"role": "user", "content": "word " * 2000}]


async def test_marks_are_set_for_claude_where_prompt_caching_is_on() -> None:
    asked = Asked(CLAUDE, prompt_caching=PromptCaching(enabled=True))
    await asked.ask(body(MESSAGES, model=CLAUDE, messages=LONG), surface=MESSAGES)
    assert "cache_control" in json.dumps(asked.sent)
    assert asked.adjusted == "cache_control marks set: 1"
    await asked.ask(chat(model=CLAUDE, messages=LONG))
    assert "cache_control" in json.dumps(asked.sent)


@pytest.mark.parametrize(
    "caching",
    [
        PromptCaching(),
        PromptCaching(enabled=True, inject_cache_control=False),
        PromptCaching(enabled=True, min_prefix_tokens=9_999),
    ],
)
async def test_marks_are_not_set_unless_they_are_asked_for(caching: PromptCaching) -> None:
    asked = Asked(CLAUDE, prompt_caching=caching)
    await asked.ask(body(MESSAGES, model=CLAUDE, messages=LONG), surface=MESSAGES)
    assert "cache_control" not in json.dumps(asked.sent)
    assert asked.adjusted is None


async def test_a_client_may_turn_marks_off_for_a_request() -> None:
    asked = Asked(CLAUDE, prompt_caching=PromptCaching(enabled=True))
    await asked.ask(body(MESSAGES, model=CLAUDE, messages=LONG), ("x-plano-cache", "off"), surface=MESSAGES)
    assert "cache_control" not in json.dumps(asked.sent)


async def test_a_count_of_tokens_has_no_marks() -> None:
    asked = Asked(CLAUDE, prompt_caching=PromptCaching(enabled=True))
    endpoint = Endpoint(MESSAGES, counts_only=True)
    await ask(asked._service, body(MESSAGES, model=CLAUDE, messages=LONG), endpoint=endpoint)
    assert "cache_control" not in json.dumps(asked.sent)


async def test_a_server_of_ones_own_gets_the_key_where_it_is_configured() -> None:
    asked = Asked(base_url="http://vllm:8000/v1", profiles={GPT: ModelProfile(cache_key="x-session-affinity")})
    await asked.ask(chat(), ID)
    assert len(asked.upstream.requests[-1].headers["x-session-affinity"]) == 32
    await asked.ask(chat(), ID, ("x-session-affinity", "mine"))
    assert asked.upstream.requests[-1].headers["x-session-affinity"] == "mine"
