"""What the README shows is what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_VARIABLE = re.compile(r"[0-9a-z]{8}…|\d+\.\d+ ms|:\d+/v1")


def shown_after(readme: str, command: str) -> list[str]:
    """The lines that the README shows below a command, without what differs from run to run."""
    block = readme.partition(f"$ {command}\n")[2].partition("```")[0]
    return [normalized(line) for line in block.splitlines() if line.strip() not in {"", "…"}]


def normalized(line: str) -> str:
    return " ".join(_VARIABLE.sub("#", line).split())


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text()


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("./demo.sh", ["./demo.sh", "--fast"]),
        (
            "scripts/uv run plano-agents up --offline",
            [sys.executable, "-u", "-m", "plano_agents", "up", "--offline", "--port", "0"],
        ),
    ],
)
def test_a_command_prints_what_the_readme_shows(
    root: Path, readme: str, shown: str, typed: list[str]
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
    with subprocess.Popen(typed, cwd=root, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        missing = shown_after(readme, shown)
        assert missing
        for line in process.stdout:
            if missing and normalized(line) == missing[0]:
                del missing[0]
            if not missing:
                break
        process.terminate()
    assert missing == []


def test_every_link_within_the_project_leads_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").glob("*.md")]
    links = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert links == []
