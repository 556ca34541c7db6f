from dataclasses import replace
from typing import get_args

import pytest

from plano_agents.config import KNOWN_PROVIDERS, NEED_BASE_URL
from plano_agents.config.model import Model
from plano_agents.config.schema import ProviderInterface
from plano_agents.errors import ConfigError
from plano_agents.protocol.form import Form
from plano_agents.providers.registry import NOT_SERVED, PROVIDERS
from plano_agents.providers.target import build_request_headers, build_target
from plano_agents.secret_str import SecretStr

KEY = SecretStr("sk-canary")


def model(name: str, base_url: str | None = None, **fields: object) -> Model:
    provider, _, model_id = name.partition("/")
    return Model(name, provider, model_id, **{"interface": provider, "base_url": base_url, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "base_url", "url"),
    [
        ("openai/gpt-4o", None, "https://api.openai.com/v1/chat/completions"),
        ("openai/gpt-4o", "http://localhost:9", "http://localhost:9/v1/chat/completions"),
        ("openai/gpt-4o", "http://localhost:9/", "http://localhost:9/v1/chat/completions"),
        ("openai/gpt-4o", "https://x.example/api/v2/", "https://x.example/api/v2/chat/completions"),
        ("anthropic/claude", None, "https://api.anthropic.com/v1/messages"),
        ("groq/llama", None, "https://api.groq.com/openai/v1/chat/completions"),
        ("gemini/pro", None, "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"),
        ("mistral/large", None, "https://api.mistral.ai/v1/chat/completions"),
        ("together_ai/x/y", None, "https://api.together.xyz/v1/chat/completions"),
        ("openrouter/x/y", None, "https://openrouter.ai/api/v1/chat/completions"),
        ("xiaomi/mimo", None, "https://api.xiaomimimo.com/v1/chat/completions"),
        ("digitalocean/llama", None, "https://inference.do-ai.run/v1/chat/completions"),
        ("vercel/x/y", None, "https://ai-gateway.vercel.sh/v1/chat/completions"),
        ("edenai/x/y", None, "https://api.edenai.run/v3/chat/completions"),
        ("chatgpt/gpt-5", None, "https://chatgpt.com/backend-api/codex/responses"),
        (
            "qwen/max",
            "https://dashscope.example",
            "https://dashscope.example/compatible-mode/v1/chat/completions",
        ),
        ("ollama/llama", "http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("zhipu/glm", None, "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
        (
            "azure_openai/my gpt",
            "https://me.openai.azure.com",
            "https://me.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2025-01-01-preview",
        ),
    ],
)
def test_a_models_address_is_its_rows_or_its_own(name: str, base_url: str | None, url: str) -> None:
    assert build_target(model(name, base_url)).url == url


@pytest.mark.parametrize(
    ("name", "base_url", "wires"),
    [
        ("openai/gpt", None, {Form.OPENAI_CHAT, Form.OPENAI_RESPONSES}),
        ("openai/gpt", "https://eu.api.openai.com/v1", {Form.OPENAI_CHAT, Form.OPENAI_RESPONSES}),
        ("openai/gpt", "http://localhost:8000", {Form.OPENAI_CHAT}),
        ("openai/gpt", "https://notopenai.com", {Form.OPENAI_CHAT}),
        ("xai/grok", None, {Form.OPENAI_CHAT, Form.OPENAI_RESPONSES}),
        ("vercel/x/y", None, {Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES}),
        ("anthropic/claude", None, {Form.ANTHROPIC_MESSAGES}),
        ("anthropic/claude", "http://localhost:8000", {Form.ANTHROPIC_MESSAGES}),
        ("chatgpt/gpt", None, {Form.OPENAI_RESPONSES}),
        ("groq/llama", None, {Form.OPENAI_CHAT}),
    ],
)
def test_a_provider_speaks_its_main_wire_everywhere_and_others_at_its_own_hosts(
    name: str, base_url: str | None, wires: set[Form]
) -> None:
    assert set(build_target(model(name, base_url)).urls) == wires


@pytest.mark.parametrize(
    ("name", "base_url", "limit_field"),
    [
        ("openai/gpt", None, "max_completion_tokens"),
        ("openai/gpt", "http://localhost:8000", "max_tokens"),
        ("azure_openai/gpt", "https://me.openai.azure.com", "max_completion_tokens"),
        ("groq/llama", None, "max_tokens"),
    ],
)
def test_the_limit_of_tokens_is_spelt_as_the_provider_takes_it(
    name: str, base_url: str | None, limit_field: str
) -> None:
    assert build_target(model(name, base_url)).limit_field == limit_field


def test_each_wire_has_its_own_path() -> None:
    assert dict(build_target(model("vercel/x/y", "https://ai-gateway.vercel.sh/v2")).urls) == {
        Form.OPENAI_CHAT: "https://ai-gateway.vercel.sh/v2/chat/completions",
        Form.ANTHROPIC_MESSAGES: "https://ai-gateway.vercel.sh/v2/messages",
        Form.OPENAI_RESPONSES: "https://ai-gateway.vercel.sh/v2/responses",
    }


@pytest.mark.parametrize(
    ("name", "preferred", "chosen"),
    [
        ("openai/gpt", Form.OPENAI_RESPONSES, Form.OPENAI_RESPONSES),
        ("openai/gpt", Form.ANTHROPIC_MESSAGES, Form.OPENAI_CHAT),
        ("anthropic/claude", Form.OPENAI_RESPONSES, Form.ANTHROPIC_MESSAGES),
        ("chatgpt/gpt", Form.OPENAI_CHAT, Form.OPENAI_RESPONSES),
    ],
)
def test_the_clients_wire_is_kept_where_the_provider_speaks_it(name: str, preferred: Form, chosen: Form) -> None:
    assert build_target(model(name)).choose_wire(preferred) is chosen


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("openai/gpt-4o", "authorization", "Bearer sk-canary"),
        ("anthropic/claude", "x-api-key", "sk-canary"),
        ("azure_openai/gpt", "api-key", "sk-canary"),
    ],
)
def test_the_key_goes_where_the_provider_looks_for_it(name: str, header: str, value: str) -> None:
    assert build_target(model(name, "http://x", access_key=KEY)).headers[header] == value


def test_the_clients_credentials_do_not_go_upstream() -> None:
    target = build_target(model("openai/gpt-4o", access_key=KEY))
    sent = build_request_headers(target, {"authorization": "Bearer client", "x-api-key": "client", "cookie": "c"})
    assert "client" not in " ".join(sent.values())
    assert "cookie" not in sent


def test_with_passthrough_the_clients_authorization_goes_and_no_key_of_ours() -> None:
    target = build_target(model("openai/gpt-4o", access_key=KEY, passthrough_auth=True))
    sent = build_request_headers(target, {"authorization": "Bearer client"})
    assert sent["authorization"] == "Bearer client"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("openai/gpt-4o", {"authorization"}),
        ("anthropic/claude", {"authorization", "x-api-key"}),
        ("azure_openai/gpt", {"authorization", "api-key"}),
    ],
)
def test_with_passthrough_the_headers_that_the_provider_takes_keys_from_go_along(name: str, sent: set[str]) -> None:
    client = {"authorization": "a", "x-api-key": "b", "api-key": "c", "cookie": "d"}
    target = build_target(model(name, "http://x", passthrough_auth=True))
    assert build_request_headers(target, client).keys() - target.headers.keys() == sent


@pytest.mark.parametrize(
    ("fields", "passed"),
    [({}, True), ({"access_key": KEY}, False), ({"base_url": "http://127.0.0.1:9"}, False)],
)
def test_without_a_key_a_chatgpt_subscription_is_the_clients_own(fields: dict[str, object], *, passed: bool) -> None:
    target = build_target(model("chatgpt/gpt-5", **fields))  # type: ignore[arg-type]  # the test names fields
    sent = build_request_headers(target, {"authorization": "Bearer client"})
    assert (sent.get("authorization") == "Bearer client") is passed


def test_a_rows_headers_go_along_unless_configured_otherwise() -> None:
    headers = build_target(model("chatgpt/gpt-5", headers={"User-Agent": "mine"})).headers
    assert (headers["originator"], headers["user-agent"]) == ("codex_cli_rs", "mine")


def test_only_the_listed_headers_are_forwarded() -> None:
    target = build_target(model("openai/gpt-4o"))
    sent = build_request_headers(target, {"openai-beta": "b", "traceparent": "t", "x-other": "o", "host": "h"})
    assert sent == {**target.headers, "openai-beta": "b", "traceparent": "t"}


@pytest.mark.parametrize(("passes", "sent"), [(True, "org"), (False, None)])
def test_the_clients_account_at_openai_is_named_with_its_own_key_only(*, passes: bool, sent: str | None) -> None:
    target = build_target(model("openai/gpt-4o", access_key=KEY, passthrough_auth=passes))
    headers = build_request_headers(target, {"openai-organization": "org", "authorization": "Bearer client"})
    assert headers.get("openai-organization") == sent


@pytest.mark.parametrize("header", ["anthropic-beta", "anthropic-version"])
def test_anthropics_headers_go_to_anthropic_only(header: str) -> None:
    sent = {
        name: build_request_headers(build_target(model(name)), {header: "theirs"}).get(header)
        for name in ("anthropic/claude", "openai/gpt-4o", "mistral/large")
    }
    assert sent == {"anthropic/claude": "theirs", "openai/gpt-4o": None, "mistral/large": None}


def test_a_configured_version_of_anthropics_stands_above_the_clients() -> None:
    target = build_target(model("anthropic/claude", headers={"Anthropic-Version": "ours"}))
    assert build_request_headers(target, {"anthropic-version": "theirs"})["anthropic-version"] == "ours"


def test_configured_headers_go_along_and_win() -> None:
    target = build_target(model("openai/gpt-4o", headers={"X-Team": "a", "Traceparent": "ours"}, http_host="inner"))
    sent = build_request_headers(target, {"traceparent": "theirs"})
    assert (sent["x-team"], sent["traceparent"], sent["host"]) == ("a", "ours", "inner")


def test_anthropics_version_is_sent() -> None:
    assert build_target(model("anthropic/claude")).headers["anthropic-version"] == "2023-06-01"


def test_a_key_is_not_in_a_targets_repr() -> None:
    assert "sk-canary" not in repr(build_target(model("openai/gpt-4o", access_key=KEY)))


def test_a_provider_without_a_row_is_named_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"'nobody/x'.*provider_interface: openai"):
        build_target(model("nobody/x"))


def test_bedrock_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"'amazon_bedrock/x'.*bedrock-runtime.*provider_interface: openai"):
        build_target(model("amazon_bedrock/x", "http://x"))


def test_every_provider_of_planos_has_a_row_or_a_way_out() -> None:
    assert PROVIDERS.keys() | NOT_SERVED.keys() >= KNOWN_PROVIDERS


def test_the_providers_of_planos_without_an_address_are_those_that_need_a_base_url() -> None:
    without = {name for name, row in PROVIDERS.items() if row.origin is None}
    assert without & KNOWN_PROVIDERS == NEED_BASE_URL - NOT_SERVED.keys()


def test_every_interface_of_planos_has_a_row() -> None:
    assert set(get_args(ProviderInterface)) <= PROVIDERS.keys()


@pytest.mark.parametrize("model_id", [".", ".."])
def test_a_model_id_that_is_a_step_in_a_path_is_refused(model_id: str) -> None:
    with pytest.raises(ConfigError, match="is not a deployment's name"):
        build_target(model(f"azure_openai/{model_id}", "https://me.openai.azure.com"))


@pytest.mark.parametrize(
    ("name", "base_url", "sent"),
    [
        ("openai/m", "http://vllm:8000", "s-1"),
        ("openai/gpt-4o", None, None),
        ("anthropic/claude", None, None),
    ],
)
def test_a_sessions_headers_go_to_servers_of_ones_own(name: str, base_url: str | None, sent: str | None) -> None:
    target = build_target(model(name, base_url))
    assert build_request_headers(target, {"x-session-affinity": "s-1"}).get("x-session-affinity") == sent


@pytest.mark.parametrize(
    ("name", "base_url", "is_sent"),
    [
        ("anthropic/claude-sonnet-4-6", None, True),
        ("anthropic/claude-sonnet-4-6", "https://gateway.corp", True),
        ("anthropic/glm-5", "https://open.glm", False),
        ("openai/gpt-4o", None, False),
    ],
)
def test_anthropics_keys_go_to_claude_alone(name: str, base_url: str | None, *, is_sent: bool) -> None:
    target = build_target(model(name, base_url, passthrough_auth=True))
    sent = build_request_headers(target, {"authorization": "Bearer sk-ant-oat01-x"})
    assert ("authorization" in sent) is is_sent
    own = build_request_headers(target, {"authorization": "Bearer sk-other"})
    assert own["authorization"] == "Bearer sk-other"


CODEX = {"session-id": "s", "thread-id": "t", "x-codex-turn-state": "st", "x-codex-window-id": "w"}
ACCOUNT = {"chatgpt-account-id": "a", "authorization": "Bearer t"}


def test_codex_headers_go_to_its_own_backend_alone() -> None:
    sent = build_request_headers(build_target(model("chatgpt/gpt-5.5")), CODEX | ACCOUNT)
    assert sent.items() >= (CODEX | ACCOUNT).items()
    for other in (model("openai/gpt-5.5"), model("openai/gpt-5.5", "https://me/v1"), model("anthropic/claude")):
        assert not build_request_headers(build_target(other), CODEX | ACCOUNT).keys() & (CODEX | ACCOUNT).keys()


def test_a_chatgpt_account_goes_along_with_the_clients_own_key_alone() -> None:
    keyed = build_target(model("chatgpt/gpt-5.5", access_key=KEY))
    assert "chatgpt-account-id" not in build_request_headers(keyed, CODEX | ACCOUNT)


def test_the_apis_that_a_server_of_ones_own_speaks_can_be_said() -> None:
    target = build_target(model("openai/mine", "http://localhost:8000", access_key=KEY), ("responses", "messages"))
    assert dict(target.urls) == {
        Form.OPENAI_RESPONSES: "http://localhost:8000/v1/responses",
        Form.ANTHROPIC_MESSAGES: "http://localhost:8000/v1/messages",
    }
    assert (target.wire, target.compacts) == (Form.OPENAI_RESPONSES, False)
    assert {"authorization", "anthropic-version"} <= target.headers.keys()
    assert "anthropic-beta" in target.forwarded


def test_a_provider_can_be_spoken_to_in_fewer_apis_than_it_speaks() -> None:
    target = build_target(model("openai/gpt-4o"), ("chat",))
    assert (set(target.urls), target.compacts) == ({Form.OPENAI_CHAT}, False)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("context-1m-2025-08-07", None),
        ("claude-code-20250219, context-1m-2025-08-07,effort-2025-11-24", "claude-code-20250219,effort-2025-11-24"),
        ("claude-code-20250219, effort-2025-11-24", "claude-code-20250219, effort-2025-11-24"),
    ],
)
def test_a_beta_feature_that_a_model_lacks_does_not_go_along(value: str, sent: str | None) -> None:
    target = replace(build_target(model("anthropic/claude-haiku-4-5")), lacking_betas=("context-1m-",))
    assert build_request_headers(target, {"anthropic-beta": value}).get("anthropic-beta") == sent
    whole = build_target(model("anthropic/claude-sonnet-4-5"))
    assert build_request_headers(whole, {"anthropic-beta": value})["anthropic-beta"] == value
