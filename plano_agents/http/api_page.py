"""An OpenAPI document as a page to read: one HTML file without scripts, and nothing of it from another host.

FastAPI's own pages load Swagger UI and ReDoc from a CDN, which an operator's network may not reach, and should not
have to. What stands in the document is left to who writes it.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

JsonObject = Mapping[str, Any]
"""A part of an OpenAPI document."""

_METHODS = ("get", "post", "put", "patch", "delete")
_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "pattern": "matching {}",
    "default": "default {}",
}


@dataclass(frozen=True, slots=True)
class ApiSection:
    """One operation, or one schema, of an API."""

    anchor: str
    """Its id on the page."""
    kind: Literal["operation", "schema"]
    """What it describes."""
    title: str
    """``POST /agent/run``, or the schema's name."""
    body: str
    """What is said of it, as HTML."""


def add_api_page(app: FastAPI, path: str = "/docs") -> None:
    """Serve an app's OpenAPI document as a page.

    Args:
        app: An app without FastAPI's own pages (``docs_url=None, redoc_url=None``).
        path: Where.
    """

    @app.get(path, include_in_schema=False)
    async def show_api() -> HTMLResponse:
        return HTMLResponse(render_api_page(app.openapi()))


def render_api_page(document: JsonObject) -> str:
    """Write the whole page.

    Args:
        document: An OpenAPI 3.1 document.

    Returns:
        HTML, style included.
    """
    title = html.escape(f"{document['info']['title']} {document['info']['version']}")
    sections = build_api_sections(document)
    links = "".join(
        f'<li><a href="#{each.anchor}">{html.escape(each.title)}</a></li>'
        for each in sections
        if each.kind == "operation"
    )
    bodies = "".join(
        f'<section><h2 id="{each.anchor}">{html.escape(each.title)}</h2>{each.body}</section>' for each in sections
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><header><h1>{title}</h1>{_render_text(document['info'].get('description', ''))}"
        '<p>The same as an <a href="openapi.json">OpenAPI document</a>.</p></header>'
        f"<nav><ul>{links}</ul></nav><main>{bodies}</main></body></html>"
    )


def build_api_sections(document: JsonObject) -> list[ApiSection]:
    """Describe every operation, then every schema.

    Args:
        document: An OpenAPI 3.1 document.

    Returns:
        The sections, in the document's order.
    """
    operations = [
        ApiSection(
            _anchor(f"{method} {path}"),
            "operation",
            f"{method.upper()} {path}",
            _render_operation(item[method]),
        )
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    schemas = document.get("components", {}).get("schemas", {})
    return operations + [
        ApiSection(_anchor(f"schema {name}"), "schema", _shorten(name), _render_schema(schema))
        for name, schema in schemas.items()
    ]


def _render_operation(operation: JsonObject) -> str:
    parts = [_render_text(operation.get("description") or operation.get("summary", ""))]
    parameters = [
        (
            each["name"],
            f"{each['in']}{', required' if each.get('required') else ''}",
            _render_type(each.get("schema", {})),
            _render_inline(each.get("description", "")) + _render_example(each.get("example")),
        )
        for each in operation.get("parameters", [])
    ]
    if parameters:
        parts.append(_render_table(("parameter", "in", "type", "meaning"), parameters))
    body = operation.get("requestBody", {}).get("content", {})
    parts += [_render_content("Request", kind, content) for kind, content in body.items()]
    for status, response in operation["responses"].items():
        parts.append(f"<h4>Answer <code>{html.escape(status)}</code></h4>{_render_text(response['description'])}")
        headers = [
            (name, _render_inline(header.get("description", "")))
            for name, header in response.get("headers", {}).items()
        ]
        if headers:
            parts.append(_render_table(("header", "meaning"), headers))
        parts += [_render_content("", kind, content) for kind, content in response.get("content", {}).items()]
    return "".join(parts)


def _render_content(label: str, kind: str, content: JsonObject) -> str:
    """Say what a body is, with an example where there is one."""
    schema = content.get("schema", {})
    heading = f"<h4>{label}</h4>" if label else ""
    of = _render_type(schema) if schema else ""
    told = f"<p><code>{html.escape(kind)}</code>{f': {of}' if of else ''}</p>"
    examples = [content["example"]] if "example" in content else list(schema.get("examples", []))[:1]
    shown = "".join(
        f"<pre><code>{html.escape(each if isinstance(each, str) else _encode(each, indent=2))}</code></pre>"
        for each in examples
    )
    return heading + told + shown


def _render_schema(schema: JsonObject) -> str:
    required = schema.get("required", [])
    rows = [
        (
            name,
            _render_type(field) + (", required" if name in required else ""),
            _render_inline(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    text = _render_text(schema.get("description", ""))
    return text + (_render_table(("field", "type", "meaning"), rows) if rows else f"<p>{_render_type(schema)}</p>")


def _render_type(schema: JsonObject) -> str:
    """Name a type, with what bounds it."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f'<a href="#{_anchor(f"schema {name}")}">{html.escape(_shorten(name))}</a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            told = " or ".join(dict.fromkeys(_render_type(each) for each in schema[key]))
            return told + _render_bounds(schema)
    if "const" in schema:
        return _code(_encode(schema["const"]))
    if "enum" in schema:
        return ", ".join(_code(_encode(each)) for each in schema["enum"]) + _render_bounds(schema)
    kind = schema.get("type", "any")
    names = [kind] if isinstance(kind, str) else list(kind)
    words = [_render_named(name, schema) for name in names]
    return " or ".join(words) + _render_bounds(schema)


def _render_named(name: str, schema: JsonObject) -> str:
    if name == "array" and schema.get("items"):
        return f"list of {_render_type(schema['items'])}"
    if name == "object" and schema.get("properties"):
        fields = ", ".join(f"{_code(field)} {_render_type(each)}" for field, each in schema["properties"].items())
        return f"object of {fields}"
    if name == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_render_type(schema['additionalProperties'])} by name"
    return html.escape(name)


def _render_bounds(schema: JsonObject) -> str:
    told = [
        words.format(_code(value if key == "pattern" else _encode(value)))
        for key, words in _BOUNDS.items()
        if (value := schema.get(key)) is not None
    ]
    return f" ({', '.join(told)})" if told else ""


def _render_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows; the first cell is a name, the others are HTML."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(
        f"<tr><td>{_code(first)}</td>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>" for first, *rest in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _render_text(text: str) -> str:
    return "".join(f"<p>{_render_inline(each)}</p>" for each in _split_paragraphs(text))


def _split_paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.strip():
            yield " ".join(paragraph.split())


def _render_inline(text: str) -> str:
    """Escape a text, its words in backticks as code."""
    return re.sub(r"(`+)(.+?)\1", r"<code>\2</code>", html.escape(text, quote=False))


def _render_example(value: object) -> str:
    return "" if value is None else f" Such as {_code(value if isinstance(value, str) else _encode(value))}."


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def _encode(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _shorten(name: str) -> str:
    """Leave out the module that FastAPI puts before the name of one of several schemas of that name."""
    return name.rpartition("__")[2]


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d4d7dd, #3b404b); --soft: light-dark(#f3f4f6, #1d2027);
  --link: light-dark(#2f48b5, #9fb2ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; line-height: 1.5; font-family: system-ui, sans-serif;
  background: light-dark(#fff, #14161b); color: light-dark(#1c1f26, #e4e6eb); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; overflow-wrap: anywhere; } h4 { margin: 1rem 0 0; }
a { color: var(--link); overflow-wrap: anywhere; } code, pre { font-family: ui-monospace, monospace; font-size: .875em; }
code { background: var(--soft); border-radius: .2rem; padding: .1em .3em; overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .4rem; overflow-x: auto; padding: .75rem; }
pre code { padding: 0; overflow-wrap: normal; }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .5rem; }
.table { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .5rem; text-align: left; vertical-align: top; }
nav ul { columns: 17rem; padding-left: 1rem; }
"""
