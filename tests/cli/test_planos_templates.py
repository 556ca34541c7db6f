"""Each of planoai's own templates passes ``config check`` and starts, also where tracing's extra is not installed."""

import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import pytest

from tests.children import running

TEMPLATES = sorted(
    Path(str(file.locate()))
    for file in files("planoai") or ()
    if file.parent.name == "templates" and file.suffix == ".yaml" and file.name != "template_sync_map.yaml"
)
"""But for the one that is a list of the others."""

WITHOUT_TRACING = (
    "import sys; sys.modules['opentelemetry.sdk'] = None; sys.argv[1:] = {arguments!r}\n"
    "from plano_agents.__main__ import main; main()"
)


def build_command(*arguments: str) -> list[str]:
    """The command line in a Python that has no tracing."""
    return [sys.executable, "-c", WITHOUT_TRACING.format(arguments=list(arguments))]


def environ() -> dict[str, str]:
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "sk-any")
    return os.environ | keys | {"DATABASE_URL": "postgresql://any", "NO_COLOR": "1"}


def test_there_are_templates() -> None:
    assert len(TEMPLATES) >= 5


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_passes_the_check_and_tracing_without_its_extra_is_a_warning(template: Path) -> None:
    ended = subprocess.run(
        build_command("config", "check", str(template)), env=environ(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    traces = "random_sampling: 0\n" not in template.read_text() and "random_sampling" in template.read_text()
    warned = "nothing is traced: tracing needs the extra 'otel'" in ended.stderr
    assert warned == traces


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_starts(template: Path) -> None:
    command = build_command("up", str(template), "--offline", "--host", "127.0.0.1", "--port", "0")
    with running(command, environ=environ()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline()
        assert said.startswith("plano-agents router on http://127.0.0.1:"), process.stderr.read()
