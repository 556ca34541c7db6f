"""Installs programs for the benchmark: from Debian, PyPI and npm, or compiled, into a folder outside the tree."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
SECONDS = 900
"""How long one installation may take."""


class NotInstalledError(Exception):
    """A program cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A program that is there."""

    program: str
    """Its path."""
    version: str
    """As it says itself, or its package."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package of npm's."""

    package: str
    """Its name."""
    version: str
    """Exactly which."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Versions of what it depends on that it would not choose itself."""


def default_cache() -> Path:
    """The default folder of installed peers."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plano-agents-bench"


def find_debian(program: str, package: str, version_words: Sequence[str]) -> Installation:
    """Find a program, or install its Debian package.

    Raises:
        NotInstalledError: Neither is possible.
    """
    path = _which(program)
    if path is None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise NotInstalledError(f"{program!r} is not on PATH. Install it: apt-get install {package}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-qq"], environment)
        _run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", package], environment)
        path = _which(program)
        if path is None:
            raise NotInstalledError(f"Debian's package {package!r} brought no {program!r}.")
    return Installation(path, read_version([path, *version_words]))


def install_python(cache: Path, name: str, requirement: str, package: str, program: str) -> Installation:
    """Install a package from PyPI into an environment of its own, unless it is there.

    Args:
        cache: Where environments are kept.
        name: The environment's folder.
        requirement: As pip takes it.
        package: Whose version is recorded.
        program: A path within the environment.

    Raises:
        NotInstalledError: It cannot be installed.
    """
    folder = cache / name
    marker = folder / ".installed"
    if not marker.exists() or marker.read_text() != requirement:
        uv = [str(HERE.parents[1] / "scripts" / "uv")]
        shutil.rmtree(folder, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        into = [
            "--quiet",
            "--no-config",
            "--python",
            str(folder / "bin" / "python"),
        ]  # not by our constraints
        _run([*uv, "pip", "install", *into, requirement])
        marker.write_text(requirement)
    path = folder / program
    if not path.exists():
        raise NotInstalledError(f"{requirement!r} was installed and has no {program!r}.")
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    return Installation(str(path), read_version([str(folder / "bin" / "python"), "-c", ask]))


def install_node(cache: Path, name: str, requirement: Requirement, program: str) -> Installation:
    """Install a package from npm into a folder of its own, unless it is there.

    Args:
        cache: Where folders are kept.
        name: The folder's name.
        requirement: What to install.
        program: A path within the package.

    Raises:
        NotInstalledError: It cannot be installed, or there is no npm.
    """
    folder = cache / name
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise NotInstalledError("node and npm are not on PATH. Install them: apt-get install nodejs npm")
    wanted = json.dumps(
        {"dependencies": {requirement.package: requirement.version}, "overrides": dict(requirement.overrides)}
    )
    marker = folder / ".installed"
    if not marker.exists() or marker.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(wanted)
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)])
        marker.write_text(wanted)
    path = folder / "node_modules" / requirement.package / program
    return Installation(str(path), requirement.version)


def compile_native(cache: Path, name: str) -> str:
    """Compile one of the benchmark's C programs, unless it is there and newer than its source.

    Raises:
        NotInstalledError: There is no C compiler, or it fails.
    """
    source, program = HERE / "native" / f"{name}.c", cache / "native" / name
    compiler = shutil.which("cc")
    if compiler is None:
        raise NotInstalledError("There is no C compiler 'cc'. Install one: apt-get install gcc libc6-dev")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        _run([compiler, "-O2", "-std=c17", "-Wall", "-Wextra", "-o", str(program), str(source)])
    return str(program)


def read_version(arguments: Sequence[str]) -> str:
    """Ask a program for its version: the first line of what it says."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def _which(program: str) -> str | None:
    # Debian keeps servers where a user's PATH does not look.
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def _run(arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"{' '.join(arguments)!r} failed: {error}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalledError(f"{' '.join(arguments)!r} failed: {' '.join(lines[-3:]) or 'no message'}")
