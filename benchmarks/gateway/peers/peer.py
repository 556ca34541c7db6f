"""The interface of a gateway under test: its installation, start and address."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gateway.bodies import Target
from benchmarks.gateway.install import Installation

KEY = "sk-benchmark"
"""The key of every provider and client; the upstream looks at none."""


@dataclass(frozen=True, slots=True)
class Site:
    """The place of a gateway's run."""

    folder: Path
    """For its configuration and whatever it writes; its home folder too."""
    port: int
    """Where it is to listen, on 127.0.0.1."""
    upstreams: tuple[int, int]
    """Two ports of the one upstream, for gateways that choose among replicas."""
    metrics_port: int
    """Where it is to listen for those that scrape its metrics, if that is a port of its own."""
    workers: int = 1
    """How many processes are to serve."""

    @property
    def upstream(self) -> str:
        """The upstream's address, without a path."""
        return f"http://127.0.0.1:{self.upstreams[0]}"

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder and give its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)


@dataclass(frozen=True, slots=True)
class Command:
    """The start of a gateway."""

    arguments: tuple[str, ...]
    """The command line."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What it needs beyond PATH, HOME and a language."""
    announces_port: bool = False
    """It chooses its port itself, and prints ``listens at http://127.0.0.1:<port>/…``."""

    def full_environment(self, folder: Path) -> dict[str, str]:
        """All of its environment: nothing of the user's own is handed to a program from elsewhere."""
        base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8"}
        return {**base, **self.environment}


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One gateway: a row of the tables."""

    name: str
    """As it is called there."""
    what: str
    """What it is written in, or does, in a word or two."""
    install: Callable[[Path], Installation]
    """Gets it; the folder is the cache's. Raises NotInstalledError."""
    command: Callable[[Installation, Site], Command]
    """Writes its configuration and says how it is started."""
    chat: Target
    """How it is asked for a model on OpenAI's wire."""
    claude: Target | None = None
    """How it is asked, as OpenAI, for a model on Anthropic's wire; None where it does not translate."""
    affinity_header: str = "X-Model-Affinity"
    """What carries the session's id there."""
