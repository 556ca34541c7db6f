"""What the site adds to the pages when MkDocs builds it.

Some pages ask for what is generated from the code, in a comment of its own line: ``<!-- api: router -->``. And what a
page does not run is said to readers, not to the tests alone. Links to the project's files outside ``docs`` are for who
reads the pages there: here their text stays.
"""

import json
import re
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

from plano_agents.demos.child import local_router
from plano_agents.serving.api_page import build_api_sections

ROOT = Path(__file__).parents[2]

_API = re.compile(r"^<!-- api: ([\w-]+) -->$", re.MULTILINE)
_NOT_RUN = re.compile(r"^<!-- not run: (.+?) -->$", re.MULTILINE)
_OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\(\.\./[^)]+\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put in what a page asks for; MkDocs calls this with each page's text."""
    markdown = _API.sub(lambda found: render_api(found[1]), markdown)
    markdown = _OUTSIDE.sub(r"\1", markdown)
    return _NOT_RUN.sub(r'<p class="not-run">The tests do not run this: \1</p>', markdown)


def render_api(name: str) -> str:
    """Describe an API, as Markdown with HTML in it, for its headings belong into the page's contents."""
    sections = build_api_sections(load_document(name))
    parts: list[str] = []
    for title, kind in (("Endpoints", "operation"), ("Schemas", "schema")):
        parts.append(f"## {title}")
        parts += [
            f"### {each.title} {{: #{each.anchor} }}\n\n{each.body}" for each in sections if each.kind == kind
        ]
    return "\n\n".join(parts)


@cache
def load_document(name: str) -> dict[str, Any]:
    """Get an OpenAPI document from what serves it.

    Args:
        name: ``router`` or ``agent-server``.

    Raises:
        LookupError: There is no such server.
    """
    if name == "router":
        with local_router(ROOT / "config.yaml", offline=True, fast=True) as url:
            address = url.removesuffix("/v1")
            with urllib.request.urlopen(f"{address}/openapi.json") as answer:  # noqa: S310 - our own router
                return dict(json.load(answer))
    if name == "agent-server":
        from plano_agents.demos.database_agent import build_graph  # noqa: PLC0415 - for this page alone
        from plano_agents.server.app import create_app  # noqa: PLC0415

        return create_app(build_graph(base_url="http://127.0.0.1:12000/v1")).openapi()
    raise LookupError(f"There is no API {name!r}; there are 'router' and 'agent-server'.")
