"""The agents that people run, as programs: which versions, and where they are installed.

Each goes into a folder named after it and its version under ``build/harnesses``, by npm, without running a script of
its own. All three are native programs: none needs node to run.
"""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.installing import alone_in, give_up, install_packages

_PROCESSORS = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Program:
    """An agent's program, pinned to a version."""

    name: str
    """Its name."""
    version: str
    """Its version."""
    package: str
    """Where npm has it for this machine; ``{machine}`` and ``{version}`` are filled in."""
    binary: str
    """A pattern of the program's path under ``node_modules``."""

    def install(self, root: Path) -> Path:
        """Give the program's path; install it first where it is not there yet.

        Args:
            root: The project's root.
        """
        processor = _PROCESSORS.get(platform.machine())
        if processor is None or sys.platform not in {"linux", "darwin"}:
            give_up(f"{self.name} has no program for {sys.platform} on {platform.machine()}")
        package = self.package.format(machine=f"{sys.platform}-{processor}", version=self.version)
        folder = root / "build" / "harnesses" / f"{self.name}-{self.version}"
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder):
            if not (found := self._find(folder)):
                install_packages(folder, "--ignore-scripts", "--prefix", str(folder), package)
                found = self._find(folder)
        if not found:
            give_up(f"{package} has no {self.binary}")
        return found[0]

    def _find(self, folder: Path) -> list[Path]:
        return list(folder.glob(f"node_modules/{self.binary}"))


CLAUDE_CODE = Program(
    "claude-code", "2.1.332", "@anthropic-ai/claude-code-{machine}@{version}", "@anthropic-ai/*/claude"
)
OPENCODE = Program("opencode", "1.18.33", "opencode-{machine}@{version}", "opencode-*/bin/opencode")
CODEX = Program("codex", "0.171.0", "@openai/codex@{version}-{machine}", "@openai/codex/vendor/*/bin/codex")
