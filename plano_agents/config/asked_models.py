"""The configured model that a client means by a name that the configuration does not declare.

Tried in this order, once no declared name, wildcard, bare id or alias is the name:

1. The settings' ``model_aliases``: patterns, the first that matches.
2. A bare id of a vendor whose wildcard is declared: ``claude-haiku-4-5`` under ``anthropic/*``.
3. A snapshot: a declared model's id with a date or ``latest`` after it, or without the one that is declared. Two dates
   are two models.
"""

import re
from functools import lru_cache

from plano_agents.config.findings import propose_nearest
from plano_agents.config.model import WILDCARD, Config, Model

MAX_DECLARED = 20
"""How many of the declared models a message lists."""

_VENDORS = (
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"(gpt|chatgpt|codex)-|o[0-9]+(-|$)"), "openai"),
    (re.compile(r"gemini-"), "gemini"),
    (
        re.compile(r"(open-)?(mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral)-"),
        "mistral",
    ),
    (re.compile(r"deepseek-"), "deepseek"),
    (re.compile(r"grok-"), "xai"),
    (re.compile(r"(kimi|moonshot)-"), "moonshotai"),
    (re.compile(r"glm-"), "zhipu"),
    (re.compile(r"(qwen|qwq|qvq)"), "qwen"),
    (re.compile(r"mimo-"), "xiaomi"),
)
"""How the ids of each vendor's models begin, and the prefix of the vendor's wildcard."""

_SNAPSHOT = re.compile(r"(.+?)[-@]([0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|latest)")


def find_asked(config: Config, name: str) -> Model | None:
    """Find the model that a client means.

    Args:
        config: What is configured.
        name: As the client spells it.

    Returns:
        The model; None where nothing serves the name.
    """
    return (
        config.find_model(name)
        or _find_by_pattern(config, name)
        or _find_by_vendor(config, name)
        or _find_snapshot(config, name)
    )


def word_unknown(config: Config, name: str) -> str:
    """Word that a client's model is not configured, with the nearest names.

    Args:
        config: What is configured.
        name: As the client spells it.
    """
    names = [*(model.name for model in config.models), *config.aliases]
    ids = {model.model_id: model.name for model in config.models if not model.is_wildcard}
    known = ", ".join(names[:MAX_DECLARED])
    if len(names) > MAX_DECLARED:
        known += f", … and {len(names) - MAX_DECLARED:,} more"
    return (
        f"The model {name!r} is not configured{propose_nearest(name, [*names, *ids]) or '.'} Configured are: {known}."
    )


def _find_by_pattern(config: Config, name: str) -> Model | None:
    for pattern, target in config.alias_patterns.items():
        if _compile(pattern).fullmatch(name):
            return config.find_model(target)
    return None


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    first, *others = map(re.escape, pattern.split(WILDCARD))
    if not others:
        return re.compile(first)
    # Each part is taken where it stands first, and never elsewhere: names come from clients, and trying all ways in
    # which several wildcards may share one takes time without end.
    *between, last = others
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between) + f".*{last}")


def _find_by_vendor(config: Config, name: str) -> Model | None:
    vendor = next((vendor for begins, vendor in _VENDORS if begins.match(name)), None)
    return config.find_model(f"{vendor}/{name}") if vendor is not None else None


def _find_snapshot(config: Config, name: str) -> Model | None:
    dated = _SNAPSHOT.fullmatch(name)
    if dated is not None and (undated := config.find_model(dated[1])) is not None:
        return undated
    if dated is not None and dated[2] != "latest":
        return None
    base = dated[1] if dated is not None else name
    for model in config.models:
        declared = _SNAPSHOT.fullmatch(model.model_id)
        if declared is not None and base in {declared[1], f"{model.provider}/{declared[1]}"}:
            return model
    return None
