"""The models that clients may name, as OpenAI's and Anthropic's APIs list them.

A list holds the default, the other models, then the aliases. What is not listed but can be asked for, such as a
wildcard's models and bare ids, is found one by one. Where a model's release date is not known, Anthropic's form says
1970.
"""

from collections.abc import Mapping
from typing import Any

from plano_agents.config.asked_models import find_asked, word_unknown
from plano_agents.config.model import Config
from plano_agents.errors import ModelNotFoundError

_UNKNOWN_DATE = "1970-01-01T00:00:00Z"

Form = dict[str, Any]
"""A JSON object of an answer."""


def list_models(config: Config, *, for_anthropic: bool) -> Form:
    """List what clients may name as ``model``.

    Args:
        config: What is configured.
        for_anthropic: Whether in Anthropic's form.
    """
    listed = [_describe(name, owner, for_anthropic=for_anthropic) for name, owner in _list_owners(config).items()]
    if not for_anthropic:
        return {"object": "list", "data": listed}
    return {
        "data": listed,
        "has_more": False,
        "first_id": listed[0]["id"] if listed else None,
        "last_id": listed[-1]["id"] if listed else None,
    }


def retrieve_model(config: Config, name: str, *, for_anthropic: bool) -> Form:
    """Describe one model.

    Args:
        config: What is configured.
        name: As a client may spell it: a name that is listed, one of a wildcard's, a bare id.
        for_anthropic: Whether in Anthropic's form.

    Raises:
        ModelNotFoundError: Nothing serves it.
    """
    owners = _list_owners(config)
    if name in owners:
        return _describe(name, owners[name], for_anthropic=for_anthropic)
    found = find_asked(config, name)
    if found is None:
        raise ModelNotFoundError(word_unknown(config, name), param="model")
    return _describe(found.name, found.provider, for_anthropic=for_anthropic)


def _list_owners(config: Config) -> Mapping[str, str]:
    """Give the provider of each name that is listed."""
    models = sorted(config.models, key=lambda model: model != config.default_model)
    declared = {model.name: model.provider for model in models}
    aliases = {alias: declared.get(target, target.partition("/")[0]) for alias, target in config.aliases.items()}
    return declared | aliases


def _describe(name: str, owner: str, *, for_anthropic: bool) -> Form:
    if for_anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN_DATE}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
