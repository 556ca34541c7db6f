import pytest

from plano_agents.config.model import Config, Model
from plano_agents.protocol.form import Form
from plano_agents.providers.cache_keys import CACHE_KEYS, UNAIDED, find_cache_key_place
from plano_agents.providers.target import build_request_headers, build_target

CHAT, MESSAGES, RESPONSES = Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES
KEY = "5e55" * 8


def model(name: str, base_url: str | None = None, **fields: object) -> Model:
    provider, _, model_id = name.partition("/")
    return Model(name, provider, model_id, **{"interface": provider, "base_url": base_url, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "base_url", "wire", "field", "header"),
    [
        ("openai/gpt-4o", None, CHAT, "prompt_cache_key", None),
        ("openai/gpt-4o", "https://eu.api.openai.com/v1", RESPONSES, "prompt_cache_key", None),
        ("chatgpt/gpt-5.5", None, RESPONSES, "prompt_cache_key", None),
        ("xai/grok-4", None, CHAT, None, "x-grok-conv-id"),
        ("xai/grok-4", None, RESPONSES, "prompt_cache_key", None),
        ("mistral/mistral-large", None, CHAT, "prompt_cache_key", None),
        ("moonshotai/kimi-k3", None, CHAT, "prompt_cache_key", None),
        ("openrouter/z-ai/glm-5", None, CHAT, None, "x-session-id"),
        ("fireworks/glm-5", "https://api.fireworks.ai/inference/v1", CHAT, None, "x-session-affinity"),
        ("deepinfra/glm-5", "https://api.deepinfra.com/v1/openai", CHAT, "prompt_cache_key", None),
        ("workers/kimi", "https://api.cloudflare.com/client/v4/accounts/a/ai/v1", CHAT, None, "x-session-affinity"),
        # These must get no field that they may refuse.
        ("azure_openai/gpt-4o", "https://me.openai.azure.com", CHAT, None, None),
        ("openai/gpt-4o", "http://vllm:8000/v1", CHAT, None, None),
        ("openai/gpt-4o", "https://api.openai.com.evil.test/v1", CHAT, None, None),
        ("groq/llama", None, CHAT, None, None),
        ("anthropic/claude-opus-5", None, MESSAGES, None, None),
    ],
)
def test_each_provider_gets_a_sessions_key_where_it_takes_one(
    name: str, base_url: str | None, wire: Form, field: str | None, header: str | None
) -> None:
    interface = name.partition("/")[0]
    known = {"fireworks": "openai", "deepinfra": "openai", "workers": "openai"}
    target = build_target(model(name, base_url, interface=known.get(interface, interface)))
    caching = target.plan_caching(wire, KEY, sets_marks=False)
    assert caching.field == ((field, KEY) if field else None)
    assert caching.headers == ({header: KEY} if header else {})
    assert target.plan_caching(wire, None, sets_marks=False) == UNAIDED


def test_a_clients_own_header_goes_up() -> None:
    target = build_target(model("xai/grok-4"))
    assert build_request_headers(target, {"x-grok-conv-id": "mine"})["x-grok-conv-id"] == "mine"


def test_a_simulator_gets_what_the_provider_that_it_stands_in_for_would() -> None:
    declared = (model("openai/gpt-4o"), model("x/glm", "https://api.fireworks.ai/inference/v1", interface="openai"))
    gpt, glm = (build_target(each) for each in Config(declared).offline("http://127.0.0.1:9").models)
    assert gpt.plan_caching(CHAT, KEY, sets_marks=False).field == ("prompt_cache_key", KEY)
    assert glm.plan_caching(CHAT, KEY, sets_marks=False).headers == {"x-session-affinity": KEY}


def test_every_row_names_its_source_and_a_place() -> None:
    for place in CACHE_KEYS.values():
        assert place.source
        assert place.fields or place.headers


def test_an_address_without_a_host_has_no_place() -> None:
    assert find_cache_key_place("") is None


@pytest.mark.parametrize(
    ("name", "field", "header"),
    [
        ("X-Session-Affinity", None, "x-session-affinity"),
        ("session_id", "session_id", None),
    ],
)
def test_a_place_that_is_configured_holds_at_any_host(name: str, field: str | None, header: str | None) -> None:
    for url in ("http://vllm:8000/v1", None):
        target = build_target(model("openai/gpt-4o", url), cache_key=name)
        caching = target.plan_caching(CHAT, KEY, sets_marks=False)
        assert caching.field == ((field, KEY) if field else None)
        assert caching.headers == ({header: KEY} if header else {})
