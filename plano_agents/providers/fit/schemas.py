"""JSON Schemas of tools and answers in the dialect that the provider takes.

- ``object``: a tool's schema is of type object, without alternatives or a reference at its top; those become
  properties of the object itself, required where every alternative requires them. ``object or none``: where there is
  one.
- ``closed`` (Anthropic's structured output and strict tools): every object is closed, and bounds become words of the
  description, as Anthropic's SDKs write them.
- ``strict`` (OpenAI's): every object is closed and every property required, an optional one nullable.

``strict`` is asked for only where the schema can be said so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from plano_agents.protocol.adjustment import rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.dialects import Dialect, words
from plano_agents.providers.fit.document import Document, Pieces, pack, split
from plano_agents.providers.fit.rules import Rules

Schema = dict[str, Any]
"""A JSON Schema, or a part of one."""

ALTERNATIVES = ("anyOf", "oneOf", "allOf")

BOUNDS = words(
    """minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems uniqueItems
    minProperties maxProperties minContains maxContains"""
)
"""What Anthropic's structured output refuses: platform.claude.com, structured outputs, "JSON Schema limitations"."""

NOT_STRICT = words(
    """allOf oneOf not if then else dependentRequired dependentSchemas patternProperties propertyNames
    unevaluatedProperties contains prefixItems"""
)
"""What OpenAI's strict schemas cannot say: platform.openai.com, structured outputs, "Supported schemas"."""

_NOT_AT_TOP = ("enum", "const", "not")
_MAPS = ("properties", "$defs", "definitions")
_FALSE = msgspec.Raw(b"false")
_EMPTY: Schema = {"type": "object", "properties": {}}


def fit_answer_schema(document: Document, rules: Rules) -> None:
    """Write the schema that the answer must meet in the provider's dialect."""
    match rules.dialect.answer_schemas, rules.wire:
        case "closed", Form.ANTHROPIC_MESSAGES:
            _fit_object(document, "output_config", lambda config: _within(config, "format", _fit_closed_answer))
        case "strict", Form.OPENAI_CHAT:
            _fit_object(document, "response_format", lambda form: _within(form, "json_schema", _fit_strict_answer))
        case "strict", Form.OPENAI_RESPONSES:
            _fit_object(document, "text", lambda text: _within(text, "format", _fit_strict_answer))


def fit_tool_schema(tool: Pieces, rules: Rules) -> Pieces:
    """Write a tool's schema in the provider's dialect; the same tool where nothing is to change."""
    dialect = rules.dialect
    if rules.wire is Form.ANTHROPIC_MESSAGES:
        tool = _fit_object_tool(tool) if dialect.tool_schemas == "object" else tool
        return _fit_closed_tool(tool) if dialect.answer_schemas == "closed" else tool
    if dialect.tool_schemas == "any":
        return tool
    if rules.wire is Form.OPENAI_CHAT:
        return _within(tool, "function", lambda function: _fit_function(function, dialect))
    return _fit_function(tool, dialect) if _read(tool, "type") == "function" else tool


def _fit_function(function: Pieces, dialect: Dialect) -> Pieces:
    given = _read(function, "parameters")
    if given is not None or dialect.tool_schemas == "object":
        function = _replace(function, "parameters", given, _open_function(given))
    return _fit_strict_tool(function) if dialect.answer_schemas == "strict" else function


def _open_function(schema: object) -> object:
    """Open a function's schema, which OpenAI wants to have properties, and no other word for alternatives."""
    opened = open_top(schema)
    if not isinstance(opened, dict):
        return opened
    kept = {name: value for name, value in opened.items() if name not in _NOT_AT_TOP}
    return kept if isinstance(kept.get("properties"), dict) else {**kept, "properties": {}}


def _fit_object(document: Document, field: str, edit: Callable[[Pieces], Pieces]) -> None:
    raw = document.fields.get(field)
    if raw is None or not bytes(raw).startswith(b"{"):
        return
    given = split(raw)
    edited = edit(given)
    if edited is not given:
        document.write(field, edited)
        document.tell(rewritten(field, "schema rewritten"))


def _within(pieces: Pieces, name: str, edit: Callable[[Pieces], Pieces]) -> Pieces:
    raw = pieces.get(name)
    if raw is None or not bytes(raw).startswith(b"{"):
        return pieces
    given = split(raw)
    edited = edit(given)
    return pieces if edited is given else {**pieces, name: pack(edited)}


def _read(pieces: Pieces, name: str) -> Any:  # noqa: ANN401 - JSON of any shape
    return msgspec.json.decode(pieces[name]) if name in pieces else None


def _replace(pieces: Pieces, name: str, old: object, new: object) -> Pieces:
    return pieces if old == new else {**pieces, name: pack(new)}


def _fit_object_tool(tool: Pieces) -> Pieces:
    if _read(tool, "type") not in (None, "custom"):
        return tool
    given = _read(tool, "input_schema")
    return _replace(tool, "input_schema", given, open_top(given))


def _fit_closed_tool(tool: Pieces) -> Pieces:
    if _read(tool, "strict") is not True:
        return tool
    given = _read(tool, "input_schema")
    if not _can_close(given):
        return {name: value for name, value in tool.items() if name != "strict"}
    return _replace(tool, "input_schema", given, close(given))


def _fit_closed_answer(form: Pieces) -> Pieces:
    given = _read(form, "schema")
    return _replace(form, "schema", given, close(given))


def _fit_strict_tool(function: Pieces) -> Pieces:
    """Keep ``strict`` only where it holds: a tool must not get null for what its caller left out."""
    if _read(function, "strict") is not True or is_strict(_read(function, "parameters")):
        return function
    return {**function, "strict": _FALSE}


def _fit_strict_answer(form: Pieces) -> Pieces:
    if _read(form, "strict") is not True:
        return form
    given = _read(form, "schema")
    if is_strict(given):
        return form
    strict = make_strict(_name_type(given)) if _can_close(given) else None
    return {**form, "schema": pack(strict)} if is_strict(strict) else {**form, "strict": _FALSE}


def _name_type(schema: object) -> object:
    """Say of a schema's top that it is an object, where it is one or refers to one."""
    if not isinstance(schema, dict):
        return schema
    top = _resolve(schema, schema)
    return {**top, "type": "object"} if "type" not in top and "properties" in top else top


def _parts(schema: object) -> Iterator[Schema]:
    """Walk through all schemas within one, itself included."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            yield part
            for name, value in part.items():
                if name in _MAPS and isinstance(value, dict):
                    waiting += value.values()
                elif name not in {"enum", "const", "default", "examples"}:
                    waiting.append(value)


def _change(schema: object, change: Callable[[Schema], Schema]) -> Any:  # noqa: ANN401 - JSON of any shape
    """Change each schema within one, the innermost first."""
    if isinstance(schema, list):
        return [_change(each, change) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed: Schema = {}
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, dict):
            changed[name] = {key: _change(each, change) for key, each in value.items()}
        elif name in {"enum", "const", "default", "examples"}:
            changed[name] = value
        else:
            changed[name] = _change(value, change)
    return change(changed)


def _is_object(part: Schema) -> bool:
    kind = part.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in part


def _can_close(schema: object) -> bool:
    """Check whether no object of a schema is a map, whose keys nobody can list."""
    return not any(
        isinstance(part.get("additionalProperties"), dict) or "patternProperties" in part for part in _parts(schema)
    )


def close(schema: object) -> Any:  # noqa: ANN401 - JSON of any shape
    """Close every object, and say bounds in words."""
    return _change(schema, _close_one)


def _close_one(part: Schema) -> Schema:
    bounds = {name: value for name, value in part.items() if name in BOUNDS and not isinstance(value, dict)}
    kept = {name: value for name, value in part.items() if name not in bounds}
    if bounds:
        words = ", ".join(f"{name}: {value}" for name, value in bounds.items())
        kept["description"] = f"{kept['description']}\n\n{{{words}}}" if kept.get("description") else f"{{{words}}}"
    if _is_object(kept) and kept.get("additionalProperties") is not False:
        kept["additionalProperties"] = False
    return kept


def is_strict(schema: object) -> bool:
    """Check whether a schema is one of OpenAI's strict ones."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return False
    return all(
        NOT_STRICT.isdisjoint(part)
        and (
            not _is_object(part)
            or (
                part.get("additionalProperties") is False
                and set(part.get("required") or ()) == set(part.get("properties") or ())
            )
        )
        for part in _parts(schema)
    )


def make_strict(schema: object) -> Any:  # noqa: ANN401 - JSON of any shape
    """Close every object and require every property; what was optional may be null."""
    return _change(schema, _make_one_strict)


def _make_one_strict(part: Schema) -> Schema:
    if not _is_object(part):
        return part
    properties = part.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = part.get("required")
    required = required if isinstance(required, list) else []
    fitted = {
        name: value if name in required or not isinstance(value, dict) else _allow_null(value)
        for name, value in properties.items()
    }
    return {**part, "properties": fitted, "required": [*properties], "additionalProperties": False}


def _allow_null(part: Schema) -> Schema:
    kind = part.get("type")
    if "enum" in part or "const" in part or kind is None:
        options = part["anyOf"] if set(part) == {"anyOf"} and isinstance(part["anyOf"], list) else [part]
        return part if {"type": "null"} in options else {"anyOf": [*options, {"type": "null"}]}
    kinds = kind if isinstance(kind, list) else [kind]
    return part if "null" in kinds else {**part, "type": [*kinds, "null"]}


def open_top(schema: object) -> Any:  # noqa: ANN401 - JSON of any shape
    """Make a tool's schema an object without alternatives or a reference at its top."""
    if not isinstance(schema, dict):
        return dict(_EMPTY) if schema is None or schema is True else schema
    top = _resolve(schema, schema)
    found = [name for name in ALTERNATIVES if isinstance(top.get(name), list)]
    if not found and top.get("type") == "object":
        return top
    properties: Schema = dict(top["properties"]) if isinstance(top.get("properties"), dict) else {}
    required: list[str] = list(top["required"]) if isinstance(top.get("required"), list) else []
    for name in found:
        branches = [_open_branch(each, schema) for each in top[name] if isinstance(each, dict)]
        for branch in branches:
            for key, value in (branch.get("properties") or {}).items():
                properties.setdefault(key, value)
        needed = [set(branch.get("required") or ()) for branch in branches]
        both = set().union(*needed) if name == "allOf" else set.intersection(*needed) if needed else set()
        required += [key for key in _ordered(properties, both) if key not in required]
    fitted = {name: value for name, value in top.items() if name not in found}
    fitted |= {"type": "object", "properties": properties}
    if required:
        fitted["required"] = required
    return fitted


def _open_branch(branch: Schema, root: Schema) -> Schema:
    """Open an alternative that has alternatives itself."""
    shared: Schema = {name: root[name] for name in ("$defs", "definitions") if name in root}
    opened = open_top({**_resolve(branch, root), **shared})
    assert isinstance(opened, dict), "an object stays one"  # noqa: S101 - cannot happen
    return opened


def _ordered(properties: Schema, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [name for name in properties if name in wanted]


def _resolve(part: Schema, root: Schema) -> Schema:
    """Follow a reference within the document, once."""
    path = part.get("$ref")
    if not isinstance(path, str) or not path.startswith("#/"):
        return part
    found: Any = root
    for step in path.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return part
    rest = {name: value for name, value in part.items() if name != "$ref"}
    return {**found, **rest}
