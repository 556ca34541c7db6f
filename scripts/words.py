"""Refuses wording that readers stumble over, in code, comments and pages.

- A docstring begins with a noun phrase or an imperative, never with a question word ("What a client may send"): its
  first line is what people search for.
- `PHRASES` do not come back; each has a plainer word.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("plano_agents", "tests", "scripts", "benchmarks", "examples", "training")
"""The folders whose Python files are read."""
PAGES = ("README.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "docs/**/*.md")
"""The pages that are read."""

QUESTION = re.compile(r"(?:What|Who|Whose|Whom|Whoever|Whatever|Which|Where|When|Why|How|Whether)\b")
"""The beginning of a docstring that asks instead of naming."""
PHRASES = {
    "whoever": "any client, the caller",
    "let go of": "drop, close, release",
    "befall": "happen to",
    "of late": "recent, latest",
    "which is told": "which is reported",
    "told apart": "distinguished, separated",
}
"""Phrases that do not come back, and what to write instead."""
_NOT_A = re.compile(
    r"(?<!there )(?<!that )\bis no (?!(?:longer|such|good|more|one|limit|matter|different|smaller|larger|\w+er)\b)\w+",
    re.IGNORECASE,
)
"""Nouns that are denied by ``no``: "is no setting" for "is not a setting"."""
_PHRASE = re.compile(rf"\b(?:{'|'.join(PHRASES)})", re.IGNORECASE)


def find_questions(source: str) -> Iterator[tuple[int, str]]:
    """Find docstrings of modules, classes and functions that begin with a question word.

    Args:
        source: A Python file's text.

    Yields:
        The line, and the docstring's first line.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and QUESTION.match(text):
                yield node.body[0].lineno, text.partition("\n")[0]


def find_phrases(text: str) -> Iterator[tuple[int, str]]:
    """Find phrases that do not come back.

    Args:
        text: A file's text.

    Yields:
        The line, and the phrase with what to write instead.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for found in _PHRASE.finditer(line):
            yield number, f"{found[0]!r}; write {PHRASES[found[0].lower()]}"
        for found in _NOT_A.finditer(line):
            yield number, f"{found[0]!r}; write 'is not a …'"


def main() -> int:
    """Check all files, and tell each place.

    Returns:
        The exit status.
    """
    told: list[str] = []
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    # An environment that the tests made lies in a folder whose name begins with a dot.
    code = [path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    pages = [path for pattern in PAGES for path in sorted(ROOT.glob(pattern))]
    for path in [*code, *pages]:
        if path == Path(__file__):
            continue
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT)
        if path.suffix == ".py":
            told += [
                f"{name}:{line}: {first!r} asks; begin with a noun phrase or an imperative."
                for line, first in find_questions(text)
            ]
        told += [f"{name}:{line}: {phrase}." for line, phrase in find_phrases(text)]
    print("\n".join(told) or f"{len(code)} Python files and {len(pages)} pages read: no foreign wording.")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
