"""LiteLLM's proxy configuration, carried over to ``config.yaml`` and ``plano-agents.yaml``.

Entries of one model are its deployments; so are Azure's of one ``model_name``, where the id is a deployment's own name.
No two keys get one variable: a key would go to an address that it is not for.

Read from LiteLLM 1.110, ``docs/my-website/docs/proxy/configs.md``: ``model_list``, ``router_settings``,
``litellm_settings``, ``general_settings``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import Any

import yaml

from plano_agents.config.document import parse_document
from plano_agents.errors import ConfigError
from plano_agents.http_syntax import split_address

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

AZURE = "azure_openai"
"""Where a model's id is a deployment's own name, so that one model has several."""
SERVED_BY = frozenset({"model", "api_key", "api_base", "base_url", "weight"})
"""The parameters of a model that are carried over."""
OLLAMA_URL = "http://127.0.0.1:11434"


MODES = frozenset({"chat", "completion", "responses"})
"""The modes of models that are served here."""
NO_KEYS = frozenset({"none", "empty", "null", "dummy", "fake", "fake-key", "not-needed", "no-key"})
"""What people write for the key of a server that asks for none."""
FROM_ENVIRON = "os.environ/"


@dataclass
class _Carried:
    """A model with the deployments that serve it."""

    entry: dict[str, Any]
    deployments: list[dict[str, Any]] = field(default_factory=list)


def is_litellm(document: object) -> bool:
    """Check whether a document is a configuration of LiteLLM's proxy."""
    return isinstance(document, Mapping) and "model_list" in document and "model_providers" not in document


def convert_litellm(text: str, *, source: str, environ: Mapping[str, str]) -> tuple[str, str | None, list[str]]:
    """Carry a LiteLLM configuration over.

    Args:
        text: Its content.
        source: Its name, as messages show it.
        environ: The environment, for addresses that the file takes from it; keys stay there.

    Returns:
        ``config.yaml``, ``plano-agents.yaml`` where it is needed, and what was not carried over and why.

    Raises:
        ConfigError: It is not a configuration of LiteLLM's proxy, or names no model that is served here.
    """
    document = parse_document(text, source).data
    entries = document.get("model_list")
    if not isinstance(entries, list):
        raise ConfigError(f"{source}: this is not a configuration of LiteLLM's proxy: it has no list 'model_list'.")
    carrier = _Carrier(environ, _find_variables(entries))
    for number, entry in enumerate(entries):
        carrier.carry(entry, f"model_list[{number}]")
    carried, notes = carrier.carried, carrier.notes
    if not carried:
        raise ConfigError(f"{source}: none of its models can be served here.", *notes)
    if (default := next((each for name, each in carried.items() if not name.endswith("*")), None)) is not None:
        default.entry["default"] = True
    notes += _tell_settings(document)
    config: dict[str, Any] = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "model_listener", "port": 12000}],
        "model_providers": [each.entry for each in carried.values()],
    }
    carrier.drop_taken_names()
    for each in carried.values():
        if len(each.deployments) > 1 and all("access_key" in deployment for deployment in each.deployments):
            each.entry.pop("access_key", None)  # theirs stand in for it
    if carrier.aliases:
        config["model_aliases"] = {name: {"target": target} for name, target in carrier.aliases.items()}
    models = {name: {"deployments": each.deployments} for name, each in carried.items() if len(each.deployments) > 1}
    settings = yaml.safe_dump({"models": models}, sort_keys=False) if models else None
    return f"# Carried over from {source}.\n{yaml.safe_dump(config, sort_keys=False)}", settings, notes


def _split(model: str) -> tuple[str, str]:
    """Take a model's name apart as LiteLLM does: the prefix, and the rest."""
    prefix, slash, rest = model.partition("/")
    return (prefix, rest) if slash else ("anthropic" if model.startswith("claude") else "openai", model)


def _is_served(model: str, alias: object) -> bool:
    """Check whether a model has a place here; a wildcard has one if it stands for all of a provider's models."""
    return "*" not in model or (model.partition("/")[1:] == ("/", "*") and alias in (None, "*", model))


def _is_own_server(provider: str | None, base_url: object) -> bool:
    """Check whether a model is on a compatible server of one's own, which OpenAI's key is not for."""
    return base_url is not None and provider in {"openai", None}


def _find_variables(entries: list[Any]) -> set[str]:
    """Find the variables that hold keys already: those that the file names, and those that it relies on."""
    found = set()
    for entry in entries:
        params = entry.get("litellm_params") if isinstance(entry, Mapping) else None
        if not isinstance(params, Mapping):
            continue
        key, model = params.get("api_key"), params.get("model")
        if isinstance(key, str) and key.startswith(FROM_ENVIRON):
            found.add(key.removeprefix(FROM_ENVIRON))
        elif not key and isinstance(model, str) and _is_served(model, entry.get("model_name")):
            provider = PROVIDERS.get(_split(model)[0])
            if not _is_own_server(provider, params.get("api_base") or params.get("base_url")):
                found.add(VARIABLES.get(provider or "", ""))
    return found


@dataclass
class _Carrier:
    """One conversion: what was carried over so far."""

    environ: Mapping[str, str]
    taken: set[str]
    """Variables that hold a key of the environment."""
    carried: dict[str, _Carried] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """By ``model_name``, the first model that it stands for."""
    aliases: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """The variable of each key that stands in the file."""
    notes: list[str] = field(default_factory=list)

    def carry(self, entry: object, place: str) -> None:
        """Carry a model over, or note why not."""
        params = entry.get("litellm_params") if isinstance(entry, Mapping) else None
        if (
            not isinstance(entry, Mapping)
            or not isinstance(params, Mapping)
            or not isinstance(params.get("model"), str)
        ):
            self.notes.append(f"{place}: left out, for it has no litellm_params.model")
            return
        model, alias = params["model"], entry.get("model_name")
        info = entry.get("model_info")
        mode = info.get("mode", "chat") if isinstance(info, Mapping) else "chat"
        if str(mode) not in MODES:
            self.notes.append(f"{place}: {model!r} left out, for models of the mode {mode!r} are not served here")
            return
        prefix, rest = _split(model)
        provider = PROVIDERS.get(prefix)
        if provider is None and not (params.get("api_base") or params.get("base_url")):
            self.notes.append(f"{place}: {model!r} left out, for the provider {prefix!r} is not served here")
            return
        if not _is_served(model, alias):
            self.notes.append(f"{place}: {model!r} left out; write the models that you ask for by their names")
            return
        try:
            base_url = self._read_address(params)
        except ValueError as error:
            self.notes.append(f"{place}: {model!r} left out, for {error}")
            return
        name = f"{provider or prefix}/{rest}"
        made = _build_entry(name, provider, base_url)
        made |= self._read_key(alias if isinstance(alias, str) else rest, provider, base_url, params, place)
        self.notes += [f"{place}: litellm_params.{key} is not carried over" for key in params if key not in SERVED_BY]
        self._add(name, made, alias, params.get("weight"), place)

    def _add(self, name: str, made: dict[str, Any], alias: object, weight: object, place: str) -> None:
        """Add a deployment to its model, under the name that clients ask for."""
        provider, _, rest = name.partition("/")
        deployment: dict[str, Any] = {key: made[key] for key in ("base_url", "access_key") if key in made}
        first = self.groups.setdefault(alias, name) if isinstance(alias, str) else name
        if first != name and provider == first.partition("/")[0] == AZURE:
            deployment["model_id"] = rest
            name = first
        elif first != name and alias != rest:
            self.notes.append(
                f"{place}: the name {alias!r} stands for {first} already; {name} is asked for by its own name. "
                "To choose between them by what is asked, write a preference with both"
            )
        elif first == name and isinstance(alias, str) and alias not in {name, rest, "*"}:
            self.aliases[alias] = name
        if isinstance(weight, int) and weight >= 0:
            deployment["weight"] = weight
        elif weight is not None:
            self.notes.append(f"{place}: the weight {weight!r} is not carried over; it must be a whole number")
        deployments = self.carried.setdefault(name, _Carried(made)).deployments
        deployments.append({"name": f"deployment-{len(deployments) + 1}"} | deployment)

    def drop_taken_names(self) -> None:
        """Leave out the names that are another model's own here, and note it."""
        for name in self.carried:
            for own in (name, name.partition("/")[2]):
                if (target := self.aliases.pop(own, None)) is not None:
                    self.notes.append(
                        f"the name {own!r} is {name}'s own here; {target} is asked for by its own name. "
                        "To choose between them by what is asked, write a preference with both"
                    )

    def _read_address(self, params: Mapping[str, Any]) -> str | None:
        """Read a model's address; one that the environment holds is written out.

        Raises:
            ValueError: It is none.
        """
        address = params.get("api_base") or params.get("base_url")
        if address is None:
            return None
        if isinstance(address, str) and address.startswith(FROM_ENVIRON):
            variable = address.removeprefix(FROM_ENVIRON)
            address = self.environ.get(variable)
            if not address:
                raise ValueError(f"its address is in {variable}, which is not set; export it and convert again")
        if not isinstance(address, str) or split_address(address, frozenset({"http", "https"})) is None:
            raise ValueError("its api_base is not an http or https address")
        return address

    def _read_key(
        self, alias: str, provider: str | None, base_url: str | None, params: Mapping[str, Any], place: str
    ) -> dict[str, str]:
        """Name the variable that holds a model's key; a key that stands in the file is not copied."""
        key = params.get("api_key")
        is_own_server = _is_own_server(provider, base_url)
        own = VARIABLES.get(provider or "")
        if isinstance(key, str) and key.startswith(FROM_ENVIRON):
            return {"access_key": f"${key.removeprefix(FROM_ENVIRON)}"}
        if not isinstance(key, str) or not key or (base_url is not None and key.lower() in NO_KEYS):
            return {"access_key": f"${own}"} if own is not None and not is_own_server else {}
        if key not in self.keys:
            stem = re.sub(r"\W+", "_", alias, flags=re.ASCII).strip("_").upper() or "MODEL"
            wanted = (
                own
                if own is not None and not is_own_server
                else f"{'' if stem[0].isalpha() else 'MODEL_'}{stem}_API_KEY"
            )
            used = self.taken | set(self.keys.values())
            numbered = (f"{wanted}_{number}" for number in count(2))
            self.keys[key] = wanted if wanted not in used else next(name for name in numbered if name not in used)
        variable = self.keys[key]
        self.notes.append(f"{place}: the key stands in the file and was not copied; export it as {variable}")
        return {"access_key": f"${variable}"}


def _build_entry(name: str, provider: str | None, base_url: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {"model": name}
    if base_url is not None:
        made["base_url"] = base_url
    elif provider == "ollama":
        made["base_url"] = OLLAMA_URL
    if provider is None:
        made["provider_interface"] = "openai"
    return made


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
