import pytest
import yaml

from plano_agents.config.litellm import convert_litellm
from plano_agents.config.model import Config
from plano_agents.config.plano import parse_config
from plano_agents.errors import ConfigError

FILE = """
model_list:
  - model_name: gpt-4o
    litellm_params: {model: azure/my-gpt4o, api_base: "https://x.openai.azure.com", api_key: os.environ/AZURE_KEY, rpm: 6}
  - model_name: gpt-4.1
    litellm_params: {model: openai/gpt-4.1, api_key: sk-in-the-file}
  - model_name: gpt-4.1
    litellm_params: {model: openai/gpt-4.1, api_key: os.environ/KEY_2, api_base: "https://eu.api.openai.com/v1", weight: 2}
  - model_name: sonnet
    litellm_params: {model: claude-sonnet-4-6}
  - model_name: bedrock
    litellm_params: {model: bedrock/anthropic.claude-3}
  - model_name: local
    litellm_params: {model: openai/my-model, api_base: "http://127.0.0.1:8000/v1"}
  - model_name: hosted
    litellm_params: {model: fireworks_ai/llama, api_base: "https://api.fireworks.ai/inference/v1", api_key: os.environ/F}
  - model_name: all
    litellm_params: {model: openai/*}
  - oops
router_settings: {routing_strategy: least-busy}
general_settings: {master_key: sk-1234}
"""
ENVIRON = dict.fromkeys(("AZURE_KEY", "OPENAI_API_KEY", "KEY_2", "ANTHROPIC_API_KEY", "F"), "any")


def convert() -> tuple[Config, list[str]]:
    text, settings, notes = convert_litellm(FILE, source="litellm.yaml", environ={})
    return parse_config(text, source="config.yaml", environ=ENVIRON, settings_text=settings), notes


def test_models_are_carried_over_under_the_names_that_clients_ask_for() -> None:
    config, _ = convert()
    assert dict(config.aliases) == {
        "gpt-4o": "azure_openai/my-gpt4o",
        "sonnet": "anthropic/claude-sonnet-4-6",
        "local": "openai/my-model",
        "hosted": "fireworks_ai/llama",
    }


def test_entries_of_one_model_become_its_deployments() -> None:
    config, _ = convert()
    model = next(model for model in config.models if model.name == "openai/gpt-4.1")
    assert [(each.base_url, each.weight) for each in model.deployments] == [
        (None, 1),
        ("https://eu.api.openai.com/v1", 2),
    ]


def test_a_server_of_ones_own_needs_no_key() -> None:
    config, _ = convert()
    assert next(model for model in config.models if model.name == "openai/my-model").access_key is None


@pytest.mark.parametrize(
    "told",
    [
        "litellm_params.rpm is not carried over",
        "export it as OPENAI_API_KEY",
        "'bedrock/anthropic.claude-3' left out",
        "'openai/*' left out",
        "model_list[8]: left out",
        "router_settings is not carried over (routing_strategy)",
        "client_keys and admin_token",
    ],
)
def test_what_is_not_carried_over_is_told(told: str) -> None:
    _, notes = convert()
    assert [note for note in notes if told in note]


def test_a_key_that_stands_in_the_file_is_not_copied() -> None:
    text, settings, notes = convert_litellm(FILE, source="litellm.yaml", environ={})
    assert "sk-in-the-file" not in f"{text}{settings}{notes}"


def convert_entries(*entries: dict[str, object], **environ: str) -> tuple[Config, list[str]]:
    """Convert models, each given by its `model_name` and parameters."""
    listed = [{"model_name": entry.pop("model_name", None), "litellm_params": entry} for entry in entries]
    text = yaml.safe_dump({"model_list": listed})
    made, settings, notes = convert_litellm(text, source="litellm.yaml", environ=environ)
    return parse_config(made, source="config.yaml", environ={}, settings_text=settings, offline=True), notes


def name_variables(*entries: dict[str, object]) -> list[object]:
    """Convert models; give what stands for the key of each."""
    text = yaml.safe_dump({"model_list": [{"model_name": "my-vllm", "litellm_params": entry} for entry in entries]})
    made, _, _ = convert_litellm(text, source="litellm.yaml", environ={})
    return [entry.get("access_key") for entry in yaml.safe_load(made)["model_providers"]]


def azure(model: str, **others: object) -> dict[str, object]:
    address = f"https://{model}.openai.azure.com"
    params = {"model": f"azure/{model}", "api_base": address, "api_key": "os.environ/AZURE_KEY"}
    return {"model_name": "gpt-4o"} | params | others


@pytest.mark.parametrize("first", ["gpt-4o-eu", "gpt-4o"])
def test_azures_deployments_under_one_name_are_one_models(first: str) -> None:
    config, notes = convert_entries(azure(first, weight=9), azure("gpt-4o-ca"))
    (model,) = config.models
    assert [(each.model_id, each.weight) for each in model.deployments] == [(None, 9), ("gpt-4o-ca", 1)]
    assert notes == []


def test_keys_of_deployments_are_named_once() -> None:
    text = yaml.safe_dump({"model_list": [{"model_name": "m", "litellm_params": azure(name)} for name in ("a", "b")]})
    made, settings, _ = convert_litellm(text, source="litellm.yaml", environ={})
    assert ("AZURE_KEY" in made, str(settings).count("AZURE_KEY")) == (False, 2)


def test_a_model_that_does_not_chat_is_left_out() -> None:
    entries = [{"litellm_params": azure("a"), "model_info": {"mode": mode}} for mode in ("embedding", "chat")]
    _, _, notes = convert_litellm(yaml.safe_dump({"model_list": entries}), source="litellm.yaml", environ={})
    assert [note for note in notes if "left out" in note] == [
        "model_list[0]: 'azure/a' left out, for models of the mode 'embedding' are not served here"
    ]


def test_a_name_that_is_another_models_own_is_left_to_it() -> None:
    config, notes = convert_entries(azure("eu"), {"model_name": "gpt-4o", "model": "openai/gpt-4o"})
    assert [model.name for model in config.models] == ["azure_openai/eu", "openai/gpt-4o"]
    assert dict(config.aliases) == {}
    assert [note.partition(";")[0] for note in notes] == ["the name 'gpt-4o' is openai/gpt-4o's own here"]


def test_no_two_keys_get_one_variable() -> None:
    assert name_variables(
        {"model": "anthropic/claude-1", "api_key": "sk-first"},
        {"model": "anthropic/claude-2", "api_key": "sk-second"},
        {"model": "anthropic/claude-3", "api_key": "sk-first"},
        {"model": "mistral/m-1", "api_key": "sk-mistral"},
        {"model": "mistral/m-2"},
    ) == [
        "$ANTHROPIC_API_KEY",
        "$ANTHROPIC_API_KEY_2",
        "$ANTHROPIC_API_KEY",
        "$MISTRAL_API_KEY_2",
        "$MISTRAL_API_KEY",
    ]


@pytest.mark.parametrize(("key", "wanted"), [("none", None), ("sk-local", "$MY_VLLM_API_KEY")])
def test_a_server_of_ones_own_is_never_sent_openais_key(key: str, wanted: str | None) -> None:
    entry: dict[str, object] = {"model": "openai/llama", "api_base": "http://10.0.0.1:8000/v1", "api_key": key}
    assert name_variables(entry) == [wanted]


def test_an_address_of_the_environment_is_written_out() -> None:
    config, _ = convert_entries(azure("x", api_base="os.environ/BASE"), BASE="https://x.example.com")
    assert config.models[0].base_url == "https://x.example.com"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("os.environ/BASE", "BASE, which is not set"),
        ("nonsense", "not an http or https address"),
        (3, "not an http or https address"),
    ],
)
def test_a_model_without_a_usable_address_is_left_out_and_the_rest_carried_over(address: object, told: str) -> None:
    config, notes = convert_entries(azure("x", api_base=address), azure("y"))
    assert [model.name for model in config.models] == ["azure_openai/y"]
    assert told in notes[0]


@pytest.mark.parametrize("weight", [0.5, -1])
def test_a_weight_that_is_no_whole_number_is_told(weight: float) -> None:
    _, notes = convert_entries(azure("x", weight=weight))
    assert f"the weight {weight} is not carried over" in notes[0]


def test_all_of_a_providers_models_are_carried_over() -> None:
    config, notes = convert_entries({"model_name": "anthropic/*", "model": "anthropic/*"})
    assert ([model.name for model in config.models], notes) == (["anthropic/*"], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", r"litellm.yaml:1: this is not valid YAML"),
        ("[]", "model_list"),
        ("model_list: 3", "model_list"),
        ("model_list: []", "none of its models"),
        (yaml.safe_dump({"model_list": [{"litellm_params": {"model": "bedrock/x"}}]}), "none of its models"),
    ],
)
def test_a_file_of_something_else_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        convert_litellm(text, source="litellm.yaml", environ={})


def test_a_litellm_file_in_place_of_ours_is_told_with_the_way_over() -> None:
    with pytest.raises(ConfigError, match=r"init config.yaml --from litellm litellm.yaml"):
        parse_config(FILE, source="litellm.yaml", environ={})
