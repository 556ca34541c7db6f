"""The diagrams are what the script draws, and each is a picture that stands on its own."""

import re
from xml.etree import ElementTree as ET

import pytest

from scripts.site.diagrams import DRAWINGS, FOLDER
from tests.docs.fences import ROOT


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_file_is_what_is_drawn(name: str) -> None:
    drawn = DRAWINGS[name]().render()
    assert (FOLDER / f"{name}.svg").read_text() == drawn, "Run scripts/docs, which draws the diagrams."


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_diagram_says_in_words_what_it_shows(name: str) -> None:
    tree = ET.fromstring(DRAWINGS[name]().render())
    assert tree.get("role") == "img"
    assert len(tree.get("aria-label", "").split()) > 8


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_page_shows_the_diagram(name: str) -> None:
    pages = "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    assert re.search(rf"!\[[^\]]{{20,}}\]\(images/{name}\.svg\)", pages)
