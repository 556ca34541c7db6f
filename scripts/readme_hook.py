"""The README of a built package, whose links and pictures lead to the repository that it was built from.

An index page such as PyPI's does not resolve relative paths. GitHub's workflows set ``GITHUB_REPOSITORY`` and
``GITHUB_SHA``; set both to build elsewhere. Without them no address is known, and the README stays as it is.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<path>(?![a-z]+:|#)[^)]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Fills in ``readme``; hatchling calls it."""

    def update(self, metadata: dict) -> None:
        """Add the README to a package's metadata."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        repository, commit = (os.environ.get(name) for name in ("GITHUB_REPOSITORY", "GITHUB_SHA"))
        if repository and commit:
            text = address(text, f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}", commit)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def address(markdown: str, repository: str, commit: str) -> str:
    """Replace a page's relative links by absolute ones.

    Args:
        markdown: The page, at the repository's root.
        repository: The repository's address.
        commit: The commit whose files it links to.
    """

    def replace(found: re.Match[str]) -> str:
        kind = "raw" if found["image"] else "blob"
        return f"{found['image']}[{found['text']}]({repository}/{kind}/{commit}/{found['path']})"

    return _LINK.sub(replace, markdown)
