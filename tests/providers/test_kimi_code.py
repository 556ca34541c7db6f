import pytest

from plano_agents.config.model import Model
from plano_agents.providers.target import build_target


def build(model_id: str, base_url: str | None, **headers: str) -> Model:
    return Model(f"moonshotai/{model_id}", "moonshotai", model_id, "moonshotai", None, base_url, headers=headers)


@pytest.mark.parametrize("base_url", ["https://api.kimi.com/coding", "https://api.kimi.com/coding/v1/"])
def test_the_address_of_kimi_code_is_completed(base_url: str) -> None:
    assert build_target(build("kimi", base_url)).url == "https://api.kimi.com/coding/v1/chat/completions"


@pytest.mark.parametrize(
    ("model_id", "base_url"),
    [("kimi", "https://api.kimi.com/coding"), ("kimi-for-coding", "https://proxy.example")],
)
def test_kimi_code_is_asked_under_its_clients_name(model_id: str, base_url: str) -> None:
    assert build_target(build(model_id, base_url)).headers["user-agent"] == "KimiCLI/1.3"


def test_a_configured_name_stays() -> None:
    model = build("kimi", "https://api.kimi.com/coding", **{"user-agent": "mine"})
    assert build_target(model).headers["user-agent"] == "mine"


@pytest.mark.parametrize("base_url", [None, "https://api.moonshot.ai/v1"])
def test_moonshots_other_models_are_asked_as_they_are(base_url: str | None) -> None:
    target = build_target(build("kimi-k2", base_url))
    assert target.url == "https://api.moonshot.ai/v1/chat/completions"
    assert "user-agent" not in target.headers
