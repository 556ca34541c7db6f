"""The site's additions to pages, and its refusals."""

from types import SimpleNamespace

import pytest
from mkdocs.exceptions import PluginError

from scripts.site.hooks import WIDE, on_page_markdown, on_post_page, relink
from tests.docs.fences import ROOT


def build_page(name: str = "page.md") -> SimpleNamespace:
    return SimpleNamespace(file=SimpleNamespace(src_uri=name), meta={})


@pytest.mark.parametrize(
    ("folder", "link", "shown"),
    [
        (".", "[a](docs/affinity.md#decisions)", "[a](affinity.md#decisions)"),
        (".", "[a](examples/README.md)", "[a](examples.md)"),
        (".", "![a](docs/images/pins.svg)", "![a](images/pins.svg)"),
        (".", '<img src="docs/images/pins.svg">', '<img src="images/pins.svg">'),
        (".", "[a](plano_agents/cli/main.py)", "a"),
        ("docs", "[a](../plano_agents/cli/main.py)", "a"),
        ("docs", "[a](affinity.md)", "[a](affinity.md)"),
        ("docs", "[a](#here)", "[a](#here)"),
        ("docs", "[a](https://example.com/x.md)", "[a](https://example.com/x.md)"),
    ],
)
def test_a_link_leads_to_the_page_that_shows_its_file(folder: str, link: str, shown: str) -> None:
    assert relink(link, ROOT / folder) == shown


def test_the_start_is_the_readme() -> None:
    shown = on_page_markdown("<!-- file: README.md -->\n", page=build_page())
    assert shown.startswith("# plano-agents\n")
    assert "](docs/" not in shown


def test_a_reason_not_to_run_a_block_is_shown_to_readers() -> None:
    shown = on_page_markdown("<!-- not run: it needs a key -->\n```console\n", page=build_page())
    assert '<p class="not-run">The tests do not run this: it needs a key</p>' in shown


def test_the_agent_servers_endpoints_are_headings() -> None:
    shown = on_page_markdown("<!-- api: agent-server -->\n", page=build_page())
    assert "### POST /agent/run {: #post-agent-run }" in shown


def test_an_api_that_there_is_not_is_refused() -> None:
    with pytest.raises(LookupError, match="'router' and 'agent-server'"):
        on_page_markdown("<!-- api: nothing -->\n", page=build_page())


def test_a_wide_page_has_no_contents_beside_it() -> None:
    page = build_page(next(iter(WIDE)))
    on_page_markdown("text", page=page)
    assert page.meta == {"hide": ["toc"]}


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<link rel=stylesheet href=//fonts.example/a.css>",
        '<img alt="a" src="https://example.com/a.png">',
        '<source srcset="https://example.com/a.png">',
    ],
)
def test_a_page_that_loads_from_another_host_is_refused(html: str) -> None:
    with pytest.raises(PluginError, match="another host"):
        on_post_page(html, page=build_page())


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.com">a</a>',
        '<img src="../images/a.svg">',
        '<link rel="canonical" href="https://example.com">',
    ],
)
def test_a_page_that_leads_elsewhere_is_not(html: str) -> None:
    assert on_post_page(html, page=build_page()) == html
