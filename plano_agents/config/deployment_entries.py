"""``models.<name>.deployments`` to `Deployment`: what the schema cannot say is checked here.

A deployment stands in for the address and the key that Plano's file gives its model. A key goes to no address but
the one that it was given for: a deployment with a ``base_url`` of its own brings its own key and headers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from plano_agents.config.document import parse_document
from plano_agents.config.findings import Findings, KeyPath, format_path, format_value
from plano_agents.config.model import DOTS, NAME, WILDCARD, Model, name_upstream
from plano_agents.config.model_entries import read_base_url, read_headers
from plano_agents.config.options import Deployment, ModelSettings
from plano_agents.config.secrets import SecretReader
from plano_agents.errors import ConfigError
from plano_agents.secret_str import SecretStr

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def find_keyed(text: str) -> frozenset[str]:
    """Find the models whose keys stand in our settings, so that ``config.yaml`` need not have them.

    Args:
        text: The settings. Whether they can be used is told elsewhere.

    Returns:
        Names of models with an `access_key`, or with deployments that each bring a key or an address of their own.
    """
    try:
        models = parse_document(text, "").data.get("models")
    except ConfigError:
        return frozenset()
    return frozenset(
        str(name)
        for name, given in (models.items() if isinstance(models, dict) else ())
        if isinstance(given, dict) and ("access_key" in given or _bring_keys(given.get("deployments")))
    )


def _bring_keys(deployments: object) -> bool:
    if not isinstance(deployments, list) or not deployments:
        return False
    return all(isinstance(each, dict) and ("access_key" in each or "base_url" in each) for each in deployments)


def build_deployments(
    given: Mapping[str, ModelSettings],
    models: Sequence[Model] | None,
    findings: Findings,
    secrets: SecretReader | None,
) -> dict[str, ModelSettings]:
    """Check all models' deployments, and expand their secrets.

    Args:
        given: ``models`` of the settings.
        models: What ``config.yaml`` declares; None where that is not known.
        findings: Where problems are noted.
        secrets: Expands keys and headers; None for an offline run, which needs none.

    Returns:
        The same settings; meaningful only when no problem was noted.
    """
    names = [model.name for model in models] if models is not None else None
    built = {}
    for name, settings in given.items():
        key = settings.access_key
        if key is not None:
            key = secrets.read(key, ("models", name, "access_key"), name) if secrets else None
        deployments = settings.deployments
        if deployments is not None:
            path: KeyPath = ("models", name, "deployments")
            if not deployments:
                findings.add_problem(path, f"{format_path(path)} is empty. Give it a value.")
                continue
            _check_declared(name, names, path, findings)
            _check_names(name, deployments, path, findings)
            if not any(each.weight for each in deployments):
                findings.add_problem(
                    path,
                    f"no deployment of {format_value(name)} has a weight above 0, so none would get a new session. "
                    "Give one a weight of 1.",
                )
            deployments = tuple(
                _build(each, name, (*path, index), findings, secrets) for index, each in enumerate(deployments)
            )
        built[name] = replace(settings, access_key=key, deployments=deployments)
    return built


def _build(
    entry: Deployment, model: str, path: KeyPath, findings: Findings, secrets: SecretReader | None
) -> Deployment:
    owner = f"the deployment {format_value(entry.name)} of {format_value(model)}"
    if entry.model_id is not None:
        _check_model_id(entry.model_id, model, owner, path, findings)
    key, place = entry.access_key, (*path, "access_key")
    if key is not None:
        key = secrets.read(key, place, name_upstream(model, entry.name)) if secrets else None
    headers = read_headers(entry.headers, owner, path, findings, secrets)
    return replace(
        entry,
        base_url=read_base_url(entry.base_url, owner, path, findings),
        access_key=key,
        headers={name: SecretStr(value) for name, value in headers.items()},
    )


def _check_declared(name: str, declared: Sequence[str] | None, path: KeyPath, findings: Findings) -> None:
    """Refuse a model that only a wildcard declares; one that nothing declares is reported elsewhere."""
    wildcard = f"{name.partition('/')[0]}/{WILDCARD}"
    if declared is not None and name not in declared and wildcard in declared:
        findings.add_problem(
            path,
            f"only the wildcard {wildcard!r} declares {format_value(name)}. Declare the model in model_providers to "
            f"give it deployments, or give them to {wildcard!r}, for all of its models.",
        )


def _check_names(model: str, entries: Sequence[Deployment], path: KeyPath, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        place = (*path, index, "name")
        if _NAME.fullmatch(entry.name) is None:
            findings.add_problem(
                place,
                f"the deployment name {format_value(entry.name)} of {format_value(model)} is not one. Write 1 to 64 "
                "letters, digits, hyphens, dots and underscores, such as 'eu-west'.",
            )
        elif entry.name in seen:
            findings.add_problem(
                place,
                f"the deployment {entry.name!r} of {format_value(model)} is already on line {seen[entry.name]}. "
                "Choose another name.",
            )
        seen.setdefault(entry.name, findings.find_line(place))


def _check_model_id(model_id: str, model: str, owner: str, path: KeyPath, findings: Findings) -> None:
    if model.rpartition("/")[2] == WILDCARD:
        message = (
            f"is one for all models of {model!r}. Remove it, or declare the model that it is of in model_providers."
        )
    elif NAME.fullmatch(model_id) is None or model_id in DOTS or WILDCARD in model_id:
        message = "is not a name. Write what the provider calls the model there, in visible ASCII."
    else:
        return
    findings.add_problem((*path, "model_id"), f"the model_id {format_value(model_id)} of {owner} {message}")
