"""LiteLLM's proxy configuration, carried over to ``config.yaml`` and ``plano-agents.yaml``.

Read from LiteLLM 1.110, ``docs/my-website/docs/proxy/configs.md``: ``model_list``, ``router_settings``,
``litellm_settings``, ``general_settings``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from plano_agents.errors import ConfigError

PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: name for name in ("openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "xai", "openrouter")
        },
        **{name: name for name in ("ollama", "together_ai", "edenai")},
        "azure": "azure_openai",
        "ollama_chat": "ollama",
        "moonshot": "moonshotai",
        "vercel_ai_gateway": "vercel",
        "zai": "zhipu",
    }
)
"""LiteLLM's prefixes, and ours."""

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "openai": "OPENAI_API_KEY",
        "anthropic": "ANTHROPIC_API_KEY",
        "gemini": "GEMINI_API_KEY",
        "mistral": "MISTRAL_API_KEY",
        "groq": "GROQ_API_KEY",
        "deepseek": "DEEPSEEK_API_KEY",
        "xai": "XAI_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
        "together_ai": "TOGETHERAI_API_KEY",
        "azure_openai": "AZURE_API_KEY",
        "moonshotai": "MOONSHOT_API_KEY",
    }
)
"""The variable that LiteLLM reads a provider's key from, where its file names none."""

SERVED_BY = frozenset({"model", "api_key", "api_base", "base_url", "weight"})
"""The parameters of a model that are carried over."""
OLLAMA_URL = "http://127.0.0.1:11434"


@dataclass
class _Carried:
    """A model with the deployments that serve it."""

    entry: dict[str, Any]
    deployments: list[dict[str, Any]] = field(default_factory=list)


def is_litellm(document: object) -> bool:
    """Whether a document is a configuration of LiteLLM's proxy."""
    return isinstance(document, Mapping) and "model_list" in document and "model_providers" not in document


def convert_litellm(text: str, *, source: str) -> tuple[str, str | None, list[str]]:
    """Carry a LiteLLM configuration over.

    Args:
        text: Its content.
        source: Its name, as messages show it.

    Returns:
        ``config.yaml``, ``plano-agents.yaml`` where it is needed, and what was not carried over and why.

    Raises:
        ConfigError: It is no configuration of LiteLLM's proxy, or names no model that is served here.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: the file is not YAML ({str(error).splitlines()[0]}).") from None
    if not is_litellm(document) or not isinstance(document["model_list"], list):
        raise ConfigError(f"{source}: this is not a configuration of LiteLLM's proxy: it has no list 'model_list'.")
    notes: list[str] = []
    carried: dict[str, _Carried] = {}
    aliases: dict[str, str] = {}
    for number, entry in enumerate(document["model_list"]):
        _carry(entry, f"model_list[{number}]", carried, aliases, notes)
    if not carried:
        raise ConfigError(f"{source}: none of its models can be served here.", *notes)
    next(iter(carried.values())).entry["default"] = True
    notes += _tell_settings(document)
    config: dict[str, Any] = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "model_listener", "port": 12000}],
        "model_providers": [each.entry for each in carried.values()],
    }
    if aliases:
        config["model_aliases"] = {name: {"target": target} for name, target in aliases.items()}
    models = {name: {"deployments": each.deployments} for name, each in carried.items() if len(each.deployments) > 1}
    settings = yaml.safe_dump({"models": models}, sort_keys=False) if models else None
    return f"# Carried over from {source}.\n{yaml.safe_dump(config, sort_keys=False)}", settings, notes


def _carry(entry: object, place: str, carried: dict[str, _Carried], aliases: dict[str, str], notes: list[str]) -> None:
    """Carry a model over, or note why not."""
    params = entry.get("litellm_params") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(params, Mapping) or not isinstance(params.get("model"), str):
        notes.append(f"{place}: left out, for it has no litellm_params.model")
        return
    model = params["model"]
    prefix, slash, rest = model.partition("/")
    if not slash:
        prefix, rest = ("anthropic" if model.startswith("claude") else "openai"), model
    provider = PROVIDERS.get(prefix)
    base_url = params.get("api_base") or params.get("base_url")
    if provider is None and base_url is None:
        notes.append(f"{place}: {model!r} left out, for the provider {prefix!r} is not served here")
        return
    if "*" in model:
        notes.append(f"{place}: {model!r} left out; write the models that you ask for by their names")
        return
    name = f"{provider or prefix}/{rest}"
    made = _build_entry(name, provider, base_url)
    made |= _read_key(name, provider, params.get("api_key"), place, notes)
    if base_url is not None and provider == "openai" and not params.get("api_key"):
        made.pop("access_key")  # a server of one's own, which asks for none
    notes += [f"{place}: litellm_params.{key} is not carried over" for key in params if key not in SERVED_BY]
    alias = entry.get("model_name")
    if isinstance(alias, str) and alias not in {name, rest}:
        if aliases.get(alias, name) == name:
            aliases[alias] = name
        else:
            notes.append(
                f"{place}: the name {alias!r} stands for {aliases[alias]} already; {name} is asked for by its own name. "
                "To choose between them by what is asked, write a preference with both"
            )
    known = carried.setdefault(name, _Carried(made))
    number = len(known.deployments) + 1
    deployment = {"name": f"deployment-{number}"} | {
        key: made[key] for key in ("base_url", "access_key") if key in made
    }
    if isinstance(params.get("weight"), int | float):
        deployment["weight"] = params["weight"]
    known.deployments.append(deployment)


def _build_entry(name: str, provider: str | None, base_url: object) -> dict[str, Any]:
    made: dict[str, Any] = {"model": name}
    if isinstance(base_url, str):
        made["base_url"] = base_url
    elif provider == "ollama":
        made["base_url"] = OLLAMA_URL
    if provider is None:
        made["provider_interface"] = "openai"
    return made


def _read_key(name: str, provider: str | None, key: object, place: str, notes: list[str]) -> dict[str, str]:
    """Name the variable that holds a model's key; a key that stands in the file is not copied."""
    own = VARIABLES.get(provider or "")
    if isinstance(key, str) and key.startswith("os.environ/"):
        return {"access_key": f"${key.removeprefix('os.environ/')}"}
    if isinstance(key, str) and key:
        variable = own or f"{name.partition('/')[0].upper()}_API_KEY".replace("-", "_")
        notes.append(f"{place}: the key stands in the file and was not copied; export it as {variable}")
        return {"access_key": f"${variable}"}
    return {"access_key": f"${own}"} if own is not None else {}


def _tell_settings(document: Mapping[str, Any]) -> list[str]:
    """Tell what is not carried over of the other sections, and what does the same here."""
    notes = []
    for section in document:
        if section == "model_list":
            continue
        keys = document[section]
        names = ", ".join(map(str, keys)) if isinstance(keys, Mapping) else ""
        notes.append(f"{section} is not carried over{f' ({names})' if names else ''}")
    general = document.get("general_settings")
    if isinstance(general, Mapping) and "master_key" in general:
        notes.append("general_settings.master_key: set client_keys and admin_token in plano-agents.yaml instead")
    return notes
