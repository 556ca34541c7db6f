"""``model_providers`` to `Model`: the rules of Plano's ``config_generator`` for one entry and for all together.

An entry with a problem still yields its model, so that a route that names it is not a second problem.
"""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from plano_agents.config.findings import Findings, KeyPath, format_value, propose_nearest
from plano_agents.config.model import DOTS, EMPTY, MAX_NAME_CHARACTERS, WILDCARD, Model
from plano_agents.config.schema import KNOWN_PROVIDERS, NEED_BASE_URL, ProviderEntry
from plano_agents.config.secrets import SecretReader, has_reference
from plano_agents.http_syntax import is_header_value, is_token, split_address
from plano_agents.secret_str import SecretStr

_MODEL_NAME = re.compile(r"[!-.0-~]+/[!-~]+")
_WEB = frozenset({"http", "https"})


def build_models(
    entries: Sequence[ProviderEntry],
    root: str,
    keyed: Container[str],
    findings: Findings,
    secrets: SecretReader | None,
) -> tuple[Model, ...]:
    """Check the entries and turn them into models.

    Args:
        entries: The entries, in the file's order.
        root: The key they stand under.
        keyed: Names of models whose keys stand elsewhere; theirs here are not read.
        findings: Where problems and warnings are noted.
        secrets: Expands keys and headers; None for an offline run, which needs none.

    Returns:
        The models whose names are well-formed, in order; meaningful only when no problem was noted.
    """
    _check_unique(entries, root, findings)
    models = []
    for index, entry in enumerate(entries):
        if entry.model in keyed:
            entry = replace(entry, access_key=None)  # noqa: PLW2901
        model = _build_model(entry, (root, index), findings, secrets)
        if model is not None:
            models.append(model)
    return tuple(models)


def _build_model(entry: ProviderEntry, path: KeyPath, findings: Findings, secrets: SecretReader | None) -> Model | None:
    if not _MODEL_NAME.fullmatch(entry.model) or len(entry.model) > MAX_NAME_CHARACTERS:
        findings.add_problem(
            (*path, "model"),
            f"the model {format_value(entry.model)} is not of the form <provider>/<model id>, in visible ASCII, "
            f"{MAX_NAME_CHARACTERS} characters at most. "
            "Write for example 'openai/gpt-4o', or 'openai/*' for all of a provider's models.",
        )
        return None
    provider, _, model_id = entry.model.partition("/")
    if model_id in DOTS:
        findings.add_problem(
            (*path, "model"),
            f"the model id {model_id!r} of {format_value(entry.model)} is a path segment, not a name. "
            "Write what the provider calls the model.",
        )
    _check_wildcard(entry, model_id, path, findings)
    _check_provider(entry, provider, path, findings)
    return Model(
        name=entry.model,
        provider=provider,
        model_id=model_id,
        interface=entry.provider_interface or provider,
        access_key=_read_access_key(entry, path, findings, secrets),
        base_url=read_base_url(entry.base_url, format_value(entry.model), path, findings),
        http_host=_read_http_host(entry, path, findings),
        headers=read_headers(entry.headers, format_value(entry.model), path, findings, secrets),
        passthrough_auth=entry.passthrough_auth,
        default=entry.default,
    )


def _check_wildcard(entry: ProviderEntry, model_id: str, path: KeyPath, findings: Findings) -> None:
    if model_id.rpartition("/")[2] != WILDCARD:
        return
    name = format_value(entry.model)
    if model_id != WILDCARD:
        findings.add_problem(
            (*path, "model"),
            f"the wildcard {name} stands below a slash of the model id. Declare all of the provider's models with "
            f"{entry.model.partition('/')[0] + '/*'!r}, or each by its name.",
        )
    if entry.default:
        findings.add_problem(
            (*path, "default"),
            f"the wildcard {name} cannot be the default. Mark a model declared by its name.",
        )
    if entry.routing_preferences:
        findings.add_problem(
            (*path, "routing_preferences"),
            f"the wildcard {name} cannot have routing_preferences. Put them under a model declared by its name.",
        )


def _check_provider(entry: ProviderEntry, provider: str, path: KeyPath, findings: Findings) -> None:
    if provider not in KNOWN_PROVIDERS:
        absent = [key for key in ("base_url", "provider_interface") if getattr(entry, key) is None]
        if absent:
            known = propose_nearest(provider, KNOWN_PROVIDERS) or f". Known: {', '.join(sorted(KNOWN_PROVIDERS))}"
            findings.add_problem(
                (*path, "model"),
                f"the provider {format_value(provider)} of {format_value(entry.model)} is not a known one, "
                f"so the entry needs {' and '.join(absent)}{known}",
            )
        return
    if entry.provider_interface is not None:
        findings.add_problem(
            (*path, "provider_interface"),
            f"provider_interface is for unknown providers, and {provider!r} is known. Remove it; the part of "
            f"{format_value(entry.model)} before the slash says it.",
        )
    if provider in NEED_BASE_URL and entry.base_url is None:
        findings.add_problem(
            path,
            f"the provider {provider!r} of {format_value(entry.model)} has no address of its own. "
            "Set base_url, for example 'http://localhost:11434'.",
        )


def _read_access_key(
    entry: ProviderEntry, path: KeyPath, findings: Findings, secrets: SecretReader | None
) -> SecretStr | None:
    if entry.access_key is None:
        return None
    if entry.passthrough_auth:
        findings.add_warning(
            (*path, "access_key"),
            f"access_key of {format_value(entry.model)} is ignored: passthrough_auth sends the client's own "
            "Authorization instead",
        )
        return None
    if secrets is None:
        return None
    return secrets.read(entry.access_key, (*path, "access_key"), entry.model)


def read_base_url(given: str | None, owner: str, path: KeyPath, findings: Findings) -> str | None:
    """Read an address, without a slash at its end. It is shown up to its host at most: the rest may hold a key.

    Args:
        given: As the file has it.
        owner: Whose it is, in words for a message.
        path: The place of the entry that it stands in.
        findings: Where problems are noted.
    """
    if given is None:
        return None
    parts = split_address(given, _WEB)
    if parts is None or parts.query or parts.fragment:
        shown = "" if "@" in given else " " + format_value(re.split(r"[?#]", given)[0])
        findings.add_problem(
            (*path, "base_url"),
            f"the base_url{shown} of {owner} is not an address. Write http:// or https://, a "
            "host (labels of 1 to 63 characters, with a dot between), and a port or path prefix if need be; "
            "credentials go into access_key, not into the address.",
        )
    return given.rstrip("/")


def _read_http_host(entry: ProviderEntry, path: KeyPath, findings: Findings) -> str | None:
    if entry.http_host is not None and (not is_header_value(entry.http_host) or " " in entry.http_host):
        findings.add_problem(
            (*path, "http_host"),
            f"the http_host {format_value(entry.http_host)} of {format_value(entry.model)} is not a host. "
            "Write one such as 'api.example.com'.",
        )
    return entry.http_host


def read_headers(
    given: Mapping[str, SecretStr] | None,
    owner: str,
    path: KeyPath,
    findings: Findings,
    secrets: SecretReader | None,
) -> Mapping[str, str]:
    """Expand headers; offline, those that name a variable are left out.

    Args:
        given: As the file has them.
        owner: Whose they are, in words for a message.
        path: The place of the entry that they stand in.
        findings: Where problems are noted.
        secrets: Expands their values; None for an offline run.
    """
    if not given:
        return EMPTY
    headers = {}
    for name, secret in given.items():
        place = (*path, "headers", name)
        if not is_token(name):
            findings.add_problem(
                place,
                f"the header name {format_value(name)} of {owner} is not one. Write letters, digits and hyphens.",
            )
        elif secrets is not None:
            value = secrets.read(secret, place, f"header {name} of {owner}", spaced=True)
            if value is not None:
                headers[name] = value.get_secret_value()
        elif not has_reference(secret.get_secret_value()):
            headers[name] = secret.get_secret_value()
    return MappingProxyType(headers)


def _check_unique(entries: Sequence[ProviderEntry], root: str, findings: Findings) -> None:
    """No model, model id or entry name twice, and one default at most."""
    taken: dict[str, int] = {}
    named: dict[str, int] = {}
    default: str | None = None
    for index, entry in enumerate(entries):
        path = (root, index)
        line = findings.find_line((*path, "model"))
        model_id = entry.model.partition("/")[2]
        keys = [entry.model] if model_id == WILDCARD else [entry.model, model_id]
        twice = next((key for key in keys if key in taken), None)
        if twice is not None:
            findings.add_problem(
                (*path, "model"),
                f"the model {format_value(twice)} is already declared on line {taken[twice]}. A model id is declared "
                "once over all providers; remove one. A model that is served at several places, by several keys or "
                "regions, has deployments: list them in plano-agents.yaml, under models.",
            )
        taken |= {key: line for key in keys if key and key not in taken}
        if entry.name is not None and entry.name in named:
            findings.add_problem(
                (*path, "name"),
                f"the entry name {format_value(entry.name)} is already on line {named[entry.name]}. Choose another.",
            )
        named.setdefault(entry.name or entry.model, line)
        if entry.default and default is not None:
            findings.add_problem(
                (*path, "default"),
                f"{format_value(entry.model)} is a second default, after {format_value(default)}. Keep one.",
            )
        if entry.default:
            default = default or entry.model
