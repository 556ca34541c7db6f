"""A page's fenced blocks, each with what is to be done with it: none can be overlooked.

A block is run or checked by its language and title (``snippets``). One that is not says so, in a comment on the line
above it, for readers or for us::

    <!-- not run: it needs an OpenAI key -->
    <!-- run by: tests/clients/test_node.py -->

The first is shown on the site. The second names a test that reads the page by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sybil import Document, Region
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer
from sybil.typing import Evaluator

ROOT = Path(__file__).parents[2]

_INFO = re.compile(r'(?P<language>[\w-]*)(?: title="(?P<title>[^"]+)")?[ \t]*$\n', re.MULTILINE)
_MARKER = re.compile(r"<!-- (?P<kind>not run|run by): (?P<text>.+?) -->\s*\Z")
_ANY = re.compile(r"[^\n]*$\n", re.MULTILINE)


class SnippetError(AssertionError):
    """A block that does not do what its page says, or of which nobody says what to do."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A fenced block."""

    language: str
    """The word after the fence; empty for none."""
    title: str | None
    """The file that it is, as the site shows it."""
    source: str
    """What stands in it."""
    line: int
    """Where its first line of source is, from 1."""


class FenceParser:
    """Finds a page's blocks, for Sybil.

    Args:
        evaluate: Runs or checks a `Snippet`, which is an example's ``parsed``.

    Raises:
        SnippetError: A block that nobody can read, or a marker that is wrong.
    """

    def __init__(self, evaluate: Evaluator) -> None:
        self._evaluate = evaluate

    def __call__(self, document: Document) -> Iterable[Region]:
        """Yield a region for each block that is to be run or checked."""
        readable = {region.start: region for region in RawFencedCodeBlockLexer(_INFO)(document)}
        for fence in RawFencedCodeBlockLexer(_ANY)(document):
            line = document.text.count("\n", 0, fence.start) + 1
            if self._is_left_out(document, fence.start, line):
                continue
            region = readable.get(fence.start)
            if region is None:
                raise SnippetError(
                    f'{document.path}:{line}: write the fence as ```language or ```language title="file".'
                )
            lexemes = region.lexemes
            yield Region(
                region.start,
                region.end,
                Snippet(lexemes["language"], lexemes["title"], str(lexemes["source"]), line + 1),
                self._evaluate,
            )

    def _is_left_out(self, document: Document, start: int, line: int) -> bool:
        marker = _MARKER.search(document.text, 0, start)
        if marker is None:
            return False
        if marker["kind"] == "run by":
            test = ROOT / marker["text"]
            if not test.is_file() or Path(document.path).name not in test.read_text():
                raise SnippetError(f"{document.path}:{line}: {marker['text']!r} is not a test that reads this page.")
        return True
