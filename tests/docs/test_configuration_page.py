"""The configuration's page is what the schemas say, and they say what every key is for."""

from dataclasses import dataclass, field
from typing import Annotated

import pytest
from msgspec import Meta

from plano_agents.config.schema import PlanoFile
from plano_agents.config.sections import NotActedOn, Section
from plano_agents.config.settings import Settings
from scripts.site.configuration import PAGE, list_keys, render_keys, render_page


@dataclass(frozen=True)
class Store(Section):
    """One kind of entry."""

    kind: str
    """Which one it is."""


@dataclass(frozen=True)
class File(Section):
    """A whole file."""

    stores: list[Store] = field(default_factory=list)
    """Entries."""
    by_name: dict[str, Store] = field(default_factory=dict)
    """The same."""
    most: Annotated[int, Meta(ge=1, le=5000)] | None = 3
    """How many ``stores``
    there may be."""
    other: NotActedOn[int] = 7
    """Somebody else's."""


def test_the_page_is_what_the_schemas_say() -> None:
    assert PAGE.read_text() == render_page(PAGE.read_text()), "Run scripts/docs, which writes the tables."


@pytest.mark.parametrize("kind", [PlanoFile, Settings])
def test_every_key_that_is_acted_on_says_what_it_is_for(kind: type[Section]) -> None:
    assert [key.path for key in list_keys(kind) if key.is_acted_on and not key.meaning] == []


def test_a_keys_path_leads_through_lists_and_names() -> None:
    paths = [key.path for key in list_keys(File)]
    assert paths == ["stores[].kind", "by_name.<name>.kind", "most", "other"]


def test_a_row_tells_what_is_taken_by_default_and_why() -> None:
    assert "| `most` | whole number ≥ 1, ≤ 5,000 | `3` | How many `stores` there may be |" in render_keys(File)
    assert "| `stores[].kind` | text | required | Which one it is |" in render_keys(File)


def test_a_key_that_nothing_acts_on_stands_below_the_table() -> None:
    table, _, below = render_keys(File).rpartition("\n\n")
    assert "`other`" not in table
    assert "`other`" in below
