"""Runners and checkers of a page's blocks: Python and console sessions are run, files are checked by their readers.

A page's blocks share a namespace and a folder, in order, as if a reader typed them. A block with a title is that file:
it is written to the folder, so that what follows can use it.
"""

import json

import yaml
from sybil.evaluators.python import pad
from sybil.example import Example

from plano_agents.agent_server.settings import build_settings, load_settings
from plano_agents.config import parse_config
from plano_agents.config.litellm import convert_litellm
from plano_agents.config.settings import parse_settings
from tests.docs.console import Shell, parse_session
from tests.docs.fences import ROOT, Snippet, SnippetError

CONFIG = "config.yaml"
SECRETS = dict.fromkeys(("CLIENT_KEY", "ADMIN_TOKEN", "OPENAI_EU_KEY", "OPENAI_US_KEY", "AZURE_KEY"), "k")
"""What pages take out of the environment."""


class Reader:
    """Somebody who types a page's blocks.

    Args:
        shell: Where its commands run, and its files are written.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __call__(self, example: Example) -> None:
        """Run or check a block.

        Raises:
            SnippetError: It does not do what its page says.
        """
        snippet: Snippet = example.parsed
        run = {
            "python": self._run_python,
            "console": self._run_console,
            "yaml": self._check_yaml,
            "json": self._check_json,
            "text": self._leave,
        }.get(snippet.language)
        if run is None:
            raise SnippetError(
                f"Nothing here runs {snippet.language or 'a block without a language'!r}. Say who does, or why nobody "
                "does, above it: <!-- run by: … --> or <!-- not run: … -->"
            )
        run(example, snippet)
        if snippet.title is not None:
            (self._shell.folder / snippet.title).write_text(snippet.source)

    def _run_python(self, example: Example, snippet: Snippet) -> None:
        """Run it here; a program with a title is left to the command that runs it."""
        if snippet.title is not None:
            module = snippet.title.removesuffix(".py")
            if module not in _read_commands(example):
                raise SnippetError(f"No command below runs {snippet.title!r}.")
            return
        code = compile(
            pad(self._shell.readdress(snippet.source), snippet.line - 1), example.path, "exec", dont_inherit=True
        )
        exec(code, example.namespace)

    def _run_console(self, _example: Example, snippet: Snippet) -> None:
        for command in parse_session(snippet.source):
            self._shell.run(command)

    def _check_yaml(self, _example: Example, snippet: Snippet) -> None:
        match snippet.title:
            case "config.yaml":
                parse_config(complete(snippet.source), source=CONFIG, environ={}, offline=True)
            case "plano-agents.yaml":
                parse_settings(snippet.source, source=snippet.title, environ=SECRETS, read_file=lambda _: "in-a-file")
            case "agent.yaml":
                path = self._shell.folder / snippet.title
                path.write_text(snippet.source)
                build_settings(**load_settings(path))
            case "litellm.yaml":
                carried, _, _ = convert_litellm(snippet.source, source=snippet.title, environ={})
                parse_config(carried, source=CONFIG, environ={}, offline=True)
            case title:
                raise SnippetError(f"Which file is this YAML of? {title!r} is none that is known here.")

    def _leave(self, _example: Example, _snippet: Snippet) -> None:
        """Nothing is to be done with what is there to be looked at: nobody types or stores it."""

    def _check_json(self, _example: Example, snippet: Snippet) -> None:
        found = json.loads(snippet.source)
        if snippet.title is not None and found != json.loads((ROOT / snippet.title).read_text()):
            raise SnippetError(f"This is not what stands in the project's {snippet.title}.")


def _read_commands(example: Example) -> str:
    """The input on the page after a block."""
    lines = example.document.text[example.end :].splitlines()
    return "\n".join(line for line in lines if line.startswith("$ "))


def complete(source: str) -> str:
    """Put a part of a ``config.yaml`` into the project's; a whole one stands for itself, further models are added."""
    given = yaml.safe_load(source)
    if "version" in given:
        return source
    project = yaml.safe_load((ROOT / CONFIG).read_text())
    models = project["model_providers"] + given.get("model_providers", [])
    return yaml.safe_dump(project | given | {"model_providers": models})


def list_pages() -> list[str]:
    """The pages that are for users, by their path in the project."""
    return [
        str(path.relative_to(ROOT))
        for path in (
            ROOT / "README.md",
            ROOT / "CONTRIBUTING.md",
            ROOT / "RELEASING.md",
            ROOT / "SECURITY.md",
            ROOT / "examples" / "README.md",
            *sorted((ROOT / "docs").rglob("*.md")),
        )
    ]
