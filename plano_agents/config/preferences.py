"""Names of models: aliases, and routes in both of Plano's forms, top-level and under models as up to v0.3.0.

Merged as planoai's ``migrate_inline_routing_preferences`` does: below v0.4.0, inline entries of one name become one
route over their models, in the file's order, with the first description; a top-level route of that name wins. From
v0.4.0 on, inline entries are not read. As in Plano, a selection policy needs the metrics source that it ranks by.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from plano_agents.config.findings import Findings, KeyPath, format_value, propose_nearest
from plano_agents.config.model import MAX_NAME_CHARACTERS, NAME, Config, Model, Preference
from plano_agents.config.schema import PlanoFile, ProviderEntry
from plano_agents.http_syntax import is_header_value

MAX_DECLARED = 20
"""How many of the declared models a message lists."""

_RANKED_BY: Mapping[str, str | None] = {"cheapest": "cost", "fastest": "latency", "none": None}
"""The type of metrics source that each selection policy needs."""


def build_preferences(
    file: PlanoFile, entries: Sequence[ProviderEntry], root: str, models: Sequence[Model], findings: Findings
) -> tuple[Preference, ...]:
    """Check and merge the routes.

    Args:
        file: The whole file.
        entries: Its model entries.
        root: The key they stand under.
        models: The declared models.
        findings: Where problems and warnings are noted.

    Returns:
        The routes, with provider-qualified models; meaningful only when no problem was noted.
    """
    preferences = _read_top_level(file, Config(models=tuple(models)), findings)
    names = {preference.name for preference in preferences}
    inline = _read_inline(file, entries, root, findings)
    return (*preferences, *(preference for preference in inline if preference.name not in names))


def _read_top_level(file: PlanoFile, declared: Config, findings: Findings) -> list[Preference]:
    preferences: dict[str, Preference] = {}
    sources = {source.type for source in file.model_metrics_sources or ()}
    for index, entry in enumerate(file.routing_preferences or ()):
        path = ("routing_preferences", index)
        _check_name(entry.name, (*path, "name"), findings)
        if entry.name in preferences:
            findings.add_problem(
                (*path, "name"),
                f"the preference {format_value(entry.name)} is declared twice. Merge them, or rename one.",
            )
        models: list[str] = []
        for position, name in enumerate(entry.models):
            model = declared.find_model(name)
            if model is None:
                findings.add_problem(
                    (*path, "models", position),
                    f"the preference {format_value(entry.name)} names the model {format_value(name)}, "
                    f"which is not declared{_word_declared(name, declared.models)}",
                )
            elif model.name not in models:
                models.append(model.name)
        prefer = entry.selection_policy.prefer if entry.selection_policy else "none"
        source = _RANKED_BY[prefer]
        if source is not None and source not in sources:
            findings.add_problem(
                (*path, "selection_policy"),
                f"the preference {format_value(entry.name)} prefers the {prefer} model, and model_metrics_sources has no source "
                f"of type {source!r}. Add one, or remove the selection_policy.",
            )
        preferences[entry.name] = Preference(entry.name, entry.description, tuple(models), prefer)
    return list(preferences.values())


def _read_inline(file: PlanoFile, entries: Sequence[ProviderEntry], root: str, findings: Findings) -> list[Preference]:
    merged: dict[str, Preference] = {}
    for index, entry in enumerate(entries):
        path = (root, index, "routing_preferences")
        if entry.routing_preferences and file.version == "v0.4.0":
            findings.add_warning(
                path,
                f"routing_preferences of {format_value(entry.model)} are ignored: from v0.4.0 on they stand at the "
                "top level, with their models",
            )
            continue
        for position, inline in enumerate(entry.routing_preferences or ()):
            place = (*path, position)
            _check_name(inline.name, (*place, "name"), findings)
            first = merged.get(inline.name)
            if first is None:
                merged[inline.name] = Preference(inline.name, inline.description, (entry.model,))
                continue
            if inline.description and inline.description != first.description:
                findings.add_warning(
                    (*place, "description"),
                    f"the preference {format_value(inline.name)} has another description above; the first one counts",
                )
            models = tuple(dict.fromkeys((*first.models, entry.model)))
            merged[inline.name] = Preference(inline.name, first.description, models)
    return list(merged.values())


def build_aliases(file: PlanoFile, models: Sequence[Model], findings: Findings) -> Mapping[str, str]:
    """Resolve the aliases; as in Plano, a target is a model declared by its name, not by a wildcard.

    Stricter than Plano in this: an alias that a model goes by is refused, for an answer's ``X-Plano-Model`` would name
    a model that was not asked.

    Args:
        file: The whole file.
        models: The declared models.
        findings: Where problems are noted.

    Returns:
        Alias to provider-qualified name; meaningful only when no problem was noted.
    """
    declared = Config(models=tuple(models))
    targets = Config(models=tuple(model for model in models if not model.is_wildcard))
    names = {model.name for model in models}
    aliases = {}
    for alias, entry in (file.model_aliases or {}).items():
        path = ("model_aliases", alias)
        own = declared.find_model(alias)
        if own is not None or alias in names:
            findings.add_problem(
                path,
                f"the alias {format_value(alias)} is a name of the declared model "
                f"{format_value(own.name if own else alias)}. Choose another.",
            )
        elif not NAME.fullmatch(alias):
            findings.add_problem(
                path,
                f"the alias {format_value(alias)} is not a valid name. Write 1 to {MAX_NAME_CHARACTERS} visible ASCII characters.",
            )
        model = targets.find_model(entry.target)
        if model is not None:
            aliases[alias] = model.name
        else:
            findings.add_problem(
                (*path, "target"),
                f"the alias {format_value(alias)} targets {format_value(entry.target)}, "
                f"which is not declared{_word_declared(entry.target, targets.models)}",
            )
    return MappingProxyType(aliases)


def _word_declared(name: str, models: Sequence[Model]) -> str:
    """Word which models there are, after one that is not: the nearest, then the first."""
    ids = {model.model_id: model.name for model in models} | {model.name: model.name for model in models}
    declared = ", ".join(model.name for model in models[:MAX_DECLARED])
    if len(models) > MAX_DECLARED:
        declared += f", … and {len(models) - MAX_DECLARED:,} more"
    return f"{propose_nearest(name, ids) or '.'} Declared: {declared}"


def _check_name(name: str, path: KeyPath, findings: Findings) -> None:
    # The name of the route goes into the answer's X-Plano-Route.
    if not is_header_value(name) or len(name) > MAX_NAME_CHARACTERS:
        findings.add_problem(
            path,
            f"the preference name {format_value(name)} does not fit into a header. Write it in visible ASCII, "
            f"{MAX_NAME_CHARACTERS} characters at most.",
        )
