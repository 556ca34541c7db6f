"""Every block of every page is run or checked, or says why not."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sybil import Document

from plano_agents.errors import PlanoError
from tests.docs.console import AGENT, ROUTER, Command, Shell, compare, parse_session
from tests.docs.fences import ROOT, FenceParser, SnippetError
from tests.docs.snippets import Reader, list_pages


def read(path: Path, shell: Shell) -> None:
    document = Document.parse(str(path), FenceParser(Reader(shell)))
    for example in document.examples():
        try:
            example.evaluate()
        except Exception as error:
            error.add_note(f"at {path}:{example.line}")
            raise


@pytest.fixture
def shell(offline_router: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A folder with the project's configuration, beside a running router."""
    monkeypatch.setenv("PLANO_BASE_URL", offline_router)
    shutil.copy(ROOT / "config.yaml", tmp_path)
    with ExitStack() as stack:
        yield Shell(tmp_path, {ROUTER: urlsplit(offline_router).netloc, AGENT: AGENT}, stack)


@pytest.mark.parametrize("page", list_pages())
def test_every_block_of_a_page_does_what_the_page_says(page: str, shell: Shell) -> None:
    read(ROOT / page, shell)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```\nhello\n```\n", "without a language"),
        ("```ruby\nputs 1\n```\n", "ruby"),
        ("```python {1}\npass\n```\n", "write the fence as"),
        ("```yaml\nversion: v0.4.0\n```\n", "Which file"),
        ('```yaml title="config.yaml"\nrouting: {session_ttl: 3}\n```\n', "session_ttl"),
        ('```yaml title="plano-agents.yaml"\nlimits: {max_body: 3}\n```\n', "max_body"),
        ('```yaml title="agent.yaml"\nrun_second: 3\n```\n', "run_second"),
        ('```json title="langgraph.json"\n{}\n```\n', "not what stands in"),
        ("```python\nassert 1 == 2, 'unequal'\n```\n", "unequal"),
        ("```console\nls\n```\n", "begins with"),
        ("```console\n$ plano-agents nonsense\n```\n", "ended with 2"),
        ("```console\n$ echo one\ntwo\n```\n", "prints"),
        ("<!-- run by: tests/nowhere.py -->\n```js\n1\n```\n", "not a test"),
        ("<!-- run by: tests/test_package.py -->\n```js\n1\n```\n", "not a test"),
        ('```python title="one.py"\n1\n```\n', "No command below runs"),
    ],
)
def test_a_page_that_is_wrong_fails(text: str, complaint: str, tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "wrong.md"
    path.write_text(text)
    with pytest.raises((AssertionError, PlanoError), match=complaint):
        read(path, shell)


def test_a_block_with_a_reason_is_not_run(tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "page.md"
    path.write_text("<!-- not run: it would not end -->\n```python\nraise SystemExit\n```\n")
    read(path, shell)


def test_a_reason_holds_for_one_block_alone(tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "page.md"
    path.write_text("<!-- not run: so -->\n```ruby\n1\n```\n\n```ruby\n2\n```\n")
    with pytest.raises(SnippetError, match="ruby"):
        read(path, shell)


def test_a_pages_blocks_share_their_names_and_files(tmp_path: Path, shell: Shell) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        '```python title="one.py"\nprint(1)\n```\n\n```python\nx = 1\n```\n\n```console\n$ python one.py\n1\n```\n\n'
        "```python\nassert x == 1\n```\n"
    )
    read(path, shell)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\n…\nd", "a\nb\nc\nd\n"),
        ("a …", "a b\n"),
        ("took 1.25 ms on http://127.0.0.1:12000/v1", "took 3.50 ms on http://127.0.0.1:4711/v1\n"),
        ("a   b\n\nc", "a b\nc\n"),
    ],
)
def test_what_differs_from_run_to_run_may_differ(shown: str, printed: str) -> None:
    compare(Command("x", tuple(shown.splitlines())), printed)


@pytest.mark.parametrize(("shown", "printed"), [("a", "a\nb\n"), ("a\nb", "a\n"), ("b …", "a b\n")])
def test_what_is_printed_and_not_shown_is_told(shown: str, printed: str) -> None:
    with pytest.raises(SnippetError):
        compare(Command("x", tuple(shown.splitlines())), printed)


def test_a_continued_command_is_one() -> None:
    assert parse_session("$ curl -s x \\\n    -d y   # why\nprinted\n") == [Command("curl -s x -d y", ("printed",))]
