import pytest
from pydantic import SecretStr

from plano_agents.config import KNOWN_PROVIDERS, NEED_BASE_URL
from plano_agents.config.model import Model
from plano_agents.errors import ConfigError
from plano_agents.providers.registry import PROVIDERS
from plano_agents.providers.target import build_request_headers, build_target

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
    sent = build_request_headers(
        target, {"authorization": "Bearer client", "x-api-key": "client", "cookie": "c"}
    )
    assert "client" not in " ".join(sent.values())
    assert "cookie" not in sent


def test_with_passthrough_the_clients_authorization_goes_and_no_key_of_ours() -> None:
    target = build_target(model("openai/gpt-4o", access_key=KEY, passthrough_auth=True))
    sent = build_request_headers(target, {"authorization": "Bearer client"})
    assert sent["authorization"] == "Bearer client"


def test_only_the_listed_headers_are_forwarded() -> None:
    target = build_target(model("openai/gpt-4o"))
    sent = build_request_headers(
        target, {"openai-project": "p", "traceparent": "t", "x-other": "o", "host": "h"}
    )
    assert sent == {**target.headers, "openai-project": "p", "traceparent": "t"}


def test_configured_headers_go_along_and_win() -> None:
    target = build_target(
        model("openai/gpt-4o", headers={"X-Team": "a", "Traceparent": "ours"}, http_host="inner")
    )
    sent = build_request_headers(target, {"traceparent": "theirs"})
    assert (sent["x-team"], sent["traceparent"], sent["host"]) == ("a", "ours", "inner")


def test_anthropics_version_is_sent() -> None:
    assert build_target(model("anthropic/claude")).headers["anthropic-version"] == "2023-06-01"


def test_a_key_is_not_in_a_targets_repr() -> None:
    assert "sk-canary" not in repr(build_target(model("openai/gpt-4o", access_key=KEY)))


def test_a_provider_without_a_row_is_named_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"'nobody/x'.*provider_interface: openai"):
        build_target(model("nobody/x"))


def test_every_provider_with_a_row_is_one_of_planos() -> None:
    assert PROVIDERS.keys() <= KNOWN_PROVIDERS


def test_the_providers_without_an_address_are_those_that_need_a_base_url() -> None:
    assert {name for name, row in PROVIDERS.items() if row.origin is None} == NEED_BASE_URL & PROVIDERS.keys()
