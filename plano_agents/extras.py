"""The package's extras: which one brings a package that is missing, and the command that installs it.

The command names the place that plano-agents itself was installed from, as PEP 610's ``direct_url.json`` records it: a
wheel, a clone or a repository. So no index is asked for a name that it may not have.
"""

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NAME = "plano-agents"

PARTS = frozenset(
    {
        "aiohappyeyeballs",
        "aiosqlite",
        "fastapi",
        "httptools",
        "langchain",
        "langchain_core",
        "langchain_openai",
        "langgraph",
        "msgspec",
        "numpy",
        "prometheus_client",
        "pydantic",
        "rich",
        "starlette",
        "threadpoolctl",
        "uvloop",
        "yaml",
    }
)
"""The packages of ``[langchain]``, ``[router]`` and ``[server]``, as they are imported."""


class MissingExtraError(ModuleNotFoundError):
    """A package is missing that an extra brings.

    Args:
        what: The part that needs it, as a user names it: ``'ChatPlano'``.
        extra: The extra.
        package: The missing package, as it is imported.
    """

    def __init__(self, what: str, extra: str, package: str | None) -> None:
        super().__init__(describe_missing(what, extra, package), name=package)


def describe_missing(what: str, extra: str, package: str | None) -> str:
    """Say which package is missing, and which command installs the extra that brings it.

    Args:
        what: The part that needs it, as a user names it: ``'ChatPlano'``.
        extra: The extra.
        package: The missing package, as it is imported.
    """
    return (
        f"{what} needs the package {package!r}, which is not installed here. The extra {extra!r} brings it. "
        f"Run: {write_command(extra)}"
    )


def is_of_part(error: ModuleNotFoundError) -> bool:
    """True if an import failed for want of a package that a part of plano-agents brings."""
    return error.name is not None and error.name.partition(".")[0] in PARTS


def check_installed(what: str, extra: str, *packages: str) -> None:
    """Look whether an extra's packages are there; nothing of them is loaded.

    Args:
        what: The part that needs them, as a user names it.
        extra: The extra.
        packages: Names of the packages, as they are imported.

    Raises:
        MissingExtraError: One is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(what, extra, package)


def write_command(extra: str) -> str:
    """Write the command that adds an extra to this installation."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - rarely needed, slow to import

    try:
        origin = json.loads(distribution(NAME).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    return build_command(extra, origin, Path(sys.prefix))


def build_command(extra: str, origin: Mapping[str, Any], prefix: Path) -> str:
    """Build the command that adds an extra to an installation.

    Args:
        extra: The extra.
        origin: The installation's ``direct_url.json`` (PEP 610); empty for one from an index.
        prefix: The folder of the environment.
    """
    url = origin.get("url")
    if url is None:
        return f"pip install '{NAME}[{extra}]'"
    if origin.get("dir_info", {}).get("editable"):
        from urllib.request import url2pathname  # noqa: PLC0415 - rarely needed, and slow to import

        clone = Path(url2pathname(urlsplit(url).path))
        if prefix.is_relative_to(clone):
            return f"scripts/uv sync --inexact --extra {extra}"
        return f"pip install -e '{clone}[{extra}]'"
    if revision := origin.get("vcs_info"):
        url = f"{revision['vcs']}+{url}@{revision['commit_id']}"
    return f"pip install '{NAME}[{extra}] @ {url}'"
