"""``models.<name>.deployments`` of ``plano-agents.yaml``."""

import pytest

from plano_agents.config import Config, Model, parse_config, render_config
from plano_agents.errors import ConfigError

PLANO = """\
version: v0.4.0
listeners: [{type: model, name: l}]
model_providers:
  - {model: openai/gpt-5, access_key: $FILE, headers: {x-team: a}}
  - {model: groq/*}
  - {model: anthropic/claude, passthrough_auth: true}
"""

TWO = """\
models:
  openai/gpt-5:
    context_window: 7
    deployments:
      - {name: eu, base_url: "https://eu.example/v1/", access_key: $EU, weight: 3, headers: {x-a: "Bearer $EU"}}
      - {name: second-key, access_key: literal}
      - {name: renamed, model_id: prod-1}
"""

ENVIRON = {"FILE": "file-key", "EU": "eu-key"}


def parse(settings: str, *, offline: bool = False, environ: dict[str, str] | None = None) -> Config:
    return parse_config(
        PLANO,
        source="c.yaml",
        environ=ENVIRON if environ is None else environ,
        settings_text=settings,
        settings_source="s.yaml",
        offline=offline,
    )


def deployed(config: Config, name: str, model: str = "openai/gpt-5") -> Model:
    found = config.find_model(model)
    assert found is not None
    return found.deploy(next(each for each in found.deployments if each.name == name))


def fail(deployments: str, model: str = "openai/gpt-5") -> str:
    with pytest.raises(ConfigError) as caught:
        parse(f"models:\n  {model}:\n    deployments:\n{deployments}")
    [problem] = caught.value.problems
    return problem


def test_a_deployment_stands_in_for_address_and_key() -> None:
    model = deployed(parse(TWO), "eu")
    assert model.access_key is not None
    assert (model.name, model.base_url, model.access_key.get_secret_value()) == (
        "openai/gpt-5",
        "https://eu.example/v1",
        "eu-key",
    )


def test_the_models_key_and_headers_go_to_no_other_address() -> None:
    config = parse("models: {openai/gpt-5: {deployments: [{name: eu, base_url: 'https://eu.example'}]}}")
    model = deployed(config, "eu")
    assert (model.access_key, dict(model.headers)) == (None, {})


def test_at_the_models_own_address_a_deployment_has_its_key_and_its_headers() -> None:
    config = parse(TWO)
    renamed, second = deployed(config, "renamed"), deployed(config, "second-key")
    assert renamed.access_key is not None
    assert second.access_key is not None
    assert renamed.access_key.get_secret_value() == "file-key"
    assert second.access_key.get_secret_value() == "literal"
    assert dict(renamed.headers) == dict(second.headers) == {"x-team": "a"}
    assert dict(deployed(config, "eu").headers) == {"x-a": "Bearer eu-key"}


def test_a_deployment_may_have_a_name_of_its_own_for_the_model() -> None:
    config = parse(TWO)
    assert [deployed(config, name).sent_id for name in ("eu", "renamed")] == ["gpt-5", "prod-1"]
    assert deployed(config, "renamed").model_id == "gpt-5", "what the model takes is known by it"


def test_a_key_of_its_own_stands_above_the_clients() -> None:
    settings = "models: {anthropic/claude: {deployments: [{name: ours, access_key: k}, {name: theirs}]}}"
    config = parse(settings)
    ours, theirs = (deployed(config, name, "anthropic/claude") for name in ("ours", "theirs"))
    assert (ours.passthrough_auth, theirs.passthrough_auth) == (False, True)


def test_a_wildcards_deployments_serve_all_of_its_models() -> None:
    config = parse("models: {groq/*: {deployments: [{name: eu, access_key: k}]}}")
    model = config.find_model("groq/llama")
    assert model is not None
    assert [each.name for each in model.deployments] == ["eu"]
    assert model.deploy(model.deployments[0]).sent_id == "llama"


def test_the_rest_of_a_models_settings_holds_as_ever() -> None:
    assert parse(TWO).profiles["openai/gpt-5"].context_window == 7


def test_offline_no_key_is_needed_and_none_is_kept() -> None:
    config = parse(TWO, offline=True, environ={}).offline("http://127.0.0.1:1")
    model = deployed(config, "renamed")
    assert (model.base_url, model.access_key, model.sent_id) == ("http://127.0.0.1:1", None, "gpt-5")
    assert [each.weight for each in config.models[0].deployments] == [3, 1, 1]
    assert not deployed(config, "eu").headers


def test_no_secret_is_shown() -> None:
    config = parse(TWO)
    for shown in (render_config(config), repr(config), repr(deployed(config, "eu"))):
        assert "eu-key" not in shown
        assert "literal" not in shown
    assert "name: second-key" in render_config(config)


@pytest.mark.parametrize(
    ("deployments", "told"),
    [
        ("      - {name: eu, wieght: 2}", "4: unknown key 'wieght' in models['openai/gpt-5'].deployments[0]"),
        ("      - {weight: 2}", "the key 'name' is missing in models"),
        (
            "      - {name: eu}\n      - {name: eu}",
            "5: the deployment 'eu' of 'openai/gpt-5' is already on line 4.",
        ),
        ("      - {name: 'e;u'}", "4: the deployment name 'e;u' of 'openai/gpt-5' is not one. Write 1 to 64 letters"),
        ("      - {name: eu, weight: 0}", "no deployment of 'openai/gpt-5' has a weight above 0"),
        ("      - {name: eu, weight: -1}", "must be at least 0, not -1"),
        (
            "      - {name: eu, model_id: '..'}",
            "the model_id '..' of the deployment 'eu' of 'openai/gpt-5' is not a name.",
        ),
        (
            "      - {name: eu, base_url: 'https://user:secret@eu.example'}",
            "4: the base_url of the deployment 'eu' of 'openai/gpt-5' is not an address.",
        ),
        ("      - {name: eu, access_key: $NONE}", "$NONE is not set (needed by openai/gpt-5 (eu))."),
        ("      - {name: eu, headers: {'x y': a}}", "the header name 'x'… of the deployment 'eu' of 'openai/gpt-5'"),
        ("      []", "deployments is empty. Give it a value."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(deployments: str, told: str) -> None:
    problem = fail(deployments)
    assert problem.startswith("s.yaml:")
    assert told in problem
    assert "secret" not in problem


def test_the_nearest_key_is_proposed() -> None:
    assert "did you mean 'weight'?" in fail("      - {name: eu, wieght: 2}")


def test_no_model_id_stands_for_all_models_of_a_wildcard() -> None:
    told = fail("      - {name: eu, model_id: llama}", "groq/*")
    assert "the model_id 'llama' of the deployment 'eu' of 'groq/*' is one for all models of 'groq/*'." in told


def test_a_model_that_only_a_wildcard_declares_is_to_be_declared() -> None:
    told = fail("      - {name: eu}", "groq/llama")
    assert "only the wildcard 'groq/*' declares 'groq/llama'. Declare the model in model_providers" in told


def test_a_model_that_is_declared_twice_is_told_of_deployments() -> None:
    with pytest.raises(ConfigError, match=r"has deployments: list them in plano-agents\.yaml, under models"):
        parse_config(
            PLANO.replace("groq/*", "openai/gpt-5"),
            source="c.yaml",
            environ=ENVIRON,
        )


def test_a_deployment_in_planos_file_is_told_where_it_belongs() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(PLANO + "models: {openai/gpt-5: {deployments: [{name: eu}]}}\n", source="c.yaml", environ=ENVIRON)
    assert caught.value.problems == (
        "c.yaml:7: the key 'models' at the top level belongs in plano-agents.yaml. Move it there.",
    )
