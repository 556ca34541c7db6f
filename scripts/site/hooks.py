"""Additions to the pages when MkDocs builds the site.

Some pages ask for more in a comment of its own line: ``<!-- api: router -->`` for what a server says of itself,
``<!-- file: README.md -->`` for a page that stands elsewhere in the project. And what a page does not run is said to
readers, not to the tests alone.
"""

import json
import os
import re
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

from plano_agents.http.api_page import build_api_sections
from plano_agents.testing import offline_router

ROOT = Path(__file__).parents[2]

_API = re.compile(r"^<!-- api: ([\w-]+) -->$", re.MULTILINE)
_NOT_RUN = re.compile(r"^<!-- not run: (.+?) -->$", re.MULTILINE)
_FILE = re.compile(r"^<!-- file: ([\w./-]+) -->$", re.MULTILINE)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link(?![^>]*rel="?(?:canonical|prev|next)))\b[^>]*?(?:src|srcset|href)=["']?"""
    r"""((?:https?:)?//[^"'\s>]+)"""
)
_SOURCE = re.compile(r'(?P<attribute>src|srcset)="(?P<target>[^":]+)"')

DOCS = ROOT / "docs"
WIDE = {"comparison.md", "configuration.md"}
"""The pages whose tables take the place of the contents."""

HOMES = {"README.md": "index.md", "examples/README.md": "examples.md", "CONTRIBUTING.md": "contributing.md"}
HOMES |= {"CHANGELOG.md": "changelog.md"}
"""The pages that show files from elsewhere."""


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401 - MkDocs' page
    """Put in what a page asks for; MkDocs calls this with each page's text."""
    if page.file.src_uri in WIDE:
        page.meta["hide"] = ["toc"]
    included = _FILE.search(markdown)
    home = DOCS / page.file.src_uri
    path = ROOT / included[1] if included else home
    markdown = relink(path.read_text() if included else markdown, path.parent, home.parent)
    markdown = _API.sub(lambda found: render_api(found[1]), markdown)
    return _NOT_RUN.sub(r'<p class="not-run">The tests do not run this: \1</p>', markdown)


def on_post_page(output: str, page: Any, **_: object) -> str:  # noqa: ANN401 - MkDocs' page
    """Let no page load anything from another host; MkDocs calls this with each page's HTML.

    Raises:
        PluginError: One does.
    """
    found = _LOADED.search(output)
    if found is not None:
        raise PluginError(f"{page.file.src_uri} loads {found[1]!r} from another host.")
    return output


def relink(markdown: str, folder: Path, home: Path = DOCS) -> str:
    """Let a page's links lead to pages of the site.

    Args:
        markdown: The page.
        folder: The folder that its links are relative to.
        home: The folder of the page within the site.

    Returns:
        The page; of a link to a file that the site does not show, the text is left.
    """

    def replace(found: re.Match[str]) -> str:
        target, anchor = found["target"], found["anchor"] or ""
        if not target or ":" in target:
            return found[0]
        page = find_page((folder / target).resolve())
        if page is None:
            return found["text"]
        page = os.path.relpath(DOCS / page, home)
        return f"{found['image']}[{found['text']}]({page}{anchor})"

    def replace_source(found: re.Match[str]) -> str:
        page = find_page((folder / found["target"]).resolve())
        return found[0] if page is None else f'{found["attribute"]}="{os.path.relpath(DOCS / page, home)}"'

    return _SOURCE.sub(replace_source, _LINK.sub(replace, markdown))


def find_page(path: Path) -> str | None:
    """The page, or picture, of the site that shows a file of the project, relative to ``docs``."""
    if path.is_relative_to(DOCS):
        return str(path.relative_to(DOCS))
    return HOMES.get(str(path.relative_to(ROOT))) if path.is_relative_to(ROOT) else None


def render_api(name: str) -> str:
    """Describe an API, as Markdown with HTML in it, for its headings belong into the page's contents."""
    sections = build_api_sections(load_document(name))
    parts: list[str] = []
    for title, kind in (("Endpoints", "operation"), ("Schemas", "schema")):
        parts.append(f"## {title}")
        parts += [f"### {each.title} {{: #{each.anchor} }}\n\n{each.body}" for each in sections if each.kind == kind]
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
        with offline_router(ROOT / "config.yaml") as url:
            address = url.removesuffix("/v1")
            with urllib.request.urlopen(f"{address}/openapi.json") as answer:  # noqa: S310 - our own router
                return dict(json.load(answer))
    if name == "agent-server":
        from plano_agents.agent_server.app import create_app  # noqa: PLC0415
        from plano_agents.demos.database_agent import build_graph  # noqa: PLC0415 - for this page alone

        return create_app(build_graph(base_url="http://127.0.0.1:12000/v1")).openapi()
    raise LookupError(f"There is no API {name!r}; there are 'router' and 'agent-server'.")
