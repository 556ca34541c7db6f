"""Console sessions of a page: commands that are typed, and what they print, ``…`` for whatever stands there.

A server that a page starts lives until the page ends, on a port of its own: what the page says of the usual port is
typed with that one. Without a server of the page's own, the router is the tests'.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.docs.fences import ROOT, SnippetError
from tests.patience import PATIENCE_SECONDS

ROUTER, AGENT = "127.0.0.1:12000", "127.0.0.1:8000"
"""Where a reader's servers are."""

"""What a command may take."""

_OWN = re.compile(r"^(?:scripts/uv run (?:--extra \w+ )?)?plano-agents ")
_SERVERS = {"up": ROUTER, "serve": AGENT}
_LISTENS = re.compile(r"(?:on|at) (http://[^\s/]+)")
_VARIES = re.compile(r"[0-9a-f]{8}…|\d+\.\d+ ms|127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what is said that it prints."""

    typed: str
    """What is typed, continued lines joined."""
    shown: tuple[str, ...]
    """The lines below it."""


@dataclass(slots=True)
class Shell:
    """The environment in which a page's commands run."""

    folder: Path
    """The current folder."""
    addresses: dict[str, str]
    """The real address of each server that the page names."""
    stack: ExitStack = field(default_factory=ExitStack)
    """What ends the page's servers."""

    def run(self, command: Command) -> None:
        """Type a command, and compare what it prints.

        Raises:
            SnippetError: It fails, or prints something else.
        """
        own = _OWN.match(command.typed)
        name = command.typed[own.end() :].split()[0] if own else ""
        if name in _SERVERS:
            printed = self._start(shlex.split(command.typed[own.end() if own else 0 :]), _SERVERS[name])
        else:
            printed = self._run_to_its_end(command.typed)
        compare(command, printed)

    def readdress(self, text: str) -> str:
        """Put where the servers listen in place of the addresses that pages name."""
        for usual, real in self.addresses.items():
            text = text.replace(usual, real)
        return text

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
        folders = [str(Path(sys.executable).parent), kept.get("PATH", "")]
        return kept | {
            "PATH": os.pathsep.join(folders),
            "PLANO_BASE_URL": f"http://{self.addresses[ROUTER]}/v1",
            "NO_COLOR": "1",
        }

    def _run_to_its_end(self, typed: str) -> str:
        typed = self.readdress(typed)
        typed = typed.removeprefix("scripts/uv run ")
        typed = _OWN.sub("plano-agents ", typed).replace("./demo.sh", f"{ROOT / 'demo.sh'} --fast")
        environ = self._environ()
        if "demo.sh" in typed:
            del environ["PLANO_BASE_URL"]  # it starts a router of its own
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        if ended.returncode:
            raise SnippetError(f"{typed!r} ended with {ended.returncode}:\n{ended.stdout}")
        return ended.stdout

    def _start(self, arguments: list[str], usual: str) -> str:
        printed = self.stack.enter_context(served(arguments, self.folder, self._environ()))
        listens = _LISTENS.search(printed)
        assert listens is not None, printed
        self.addresses[usual] = urlsplit(listens[1]).netloc
        if usual == ROUTER:
            os.environ["PLANO_BASE_URL"] = f"{listens[1]}/v1"  # for the page's Python too
        return printed


@contextmanager
def served(arguments: list[str], folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """Run a server of ours on a free port; yields what it says until it is ready."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "plano_agents", *arguments, "--port", "0"],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        try:
            for line in process.stdout:
                said.append(line)
                if "Ctrl-C" in line:
                    yield "".join(said)
                    break
            else:
                raise SnippetError(f"{shlex.join(arguments)!r} ended:\n{''.join(said)}")
        finally:
            process.terminate()


def parse_session(source: str) -> list[Command]:
    r"""Read a console block: lines after ``$ ``, continued by ``\``, are typed, others printed.

    Raises:
        SnippetError: Nothing is typed.
    """
    commands: list[tuple[str, list[str]]] = []
    continued = False
    for line in source.splitlines():
        if continued:
            typed, shown = commands.pop()
            commands.append((f"{typed.removesuffix(chr(92))}{line.strip()}", shown))
        elif line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        elif commands:
            commands[-1][1].append(line)
        else:
            raise SnippetError(f"A console block begins with '$ ', not with {line!r}.")
        continued = line.endswith("\\")
    if not commands:
        raise SnippetError("Nothing is typed in this console block.")
    return [Command(_without_comment(typed), tuple(shown)) for typed, shown in commands]


def compare(command: Command, printed: str) -> None:
    """Compare what was printed with what is shown; nothing shown says nothing.

    Raises:
        SnippetError: They differ.
    """
    if not command.shown:
        return
    pattern = "".join(_compile_line(line) for line in command.shown if line.strip())
    actual = "".join(f"{_normalize(line)}\n" for line in printed.splitlines() if line.strip())
    if re.fullmatch(pattern, actual) is None:
        raise SnippetError(f"$ {command.typed}\nprints\n\n{printed}\nand not\n\n" + "\n".join(command.shown))


def _compile_line(line: str) -> str:
    if line.strip() == "…":
        return "(?:.*\n)*?"
    return re.escape(_normalize(line)).replace("…", ".*") + "\n"


def _normalize(line: str) -> str:
    """Leave out what differs from run to run, and how columns are filled."""
    return " ".join(_VARIES.sub("#", line).split())


def _without_comment(typed: str) -> str:
    return re.sub(r"\s{2,}#.*", "", typed)
