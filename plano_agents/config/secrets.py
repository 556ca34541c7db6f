"""Secrets from the environment: ``$VAR`` and ``${VAR}`` in the few places that hold secrets.

``${VAR}`` is expanded anywhere in a value, ``$VAR`` where it is a word of its own (``Bearer $TOKEN``): a dollar
within a literal key stays a dollar. No value is ever part of a message.
"""

import re
from collections.abc import Mapping

from pydantic import SecretStr

from plano_agents.config.findings import Findings, KeyPath
from plano_agents.http_syntax import is_header_value

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|(?<!\S)\$([A-Za-z_][A-Za-z0-9_]*)(?!\S)")


def has_reference(text: str) -> bool:
    """Whether a value names a variable."""
    return _REFERENCE.search(text) is not None


class SecretReader:
    """Expands one file's secrets, and gathers the variables that are missing.

    Args:
        environ: The environment's variables.
        findings: Where problems are noted.
        way_out: What a message about a missing variable proposes.
    """

    def __init__(self, environ: Mapping[str, str], findings: Findings, *, way_out: str) -> None:
        self._environ = environ
        self._findings = findings
        self._way_out = way_out
        self._missing: dict[str, list[tuple[KeyPath, str]]] = {}

    def read(self, text: str, path: KeyPath, needed_by: str, *, spaced: bool = False) -> SecretStr | None:
        """Expand a secret.

        Args:
            text: The value as the file has it.
            path: Its place.
            needed_by: Who needs it, in words for a message.
            spaced: Whether spaces may stand inside, as in ``Bearer $TOKEN``.

        Returns:
            The secret; None when a problem was noted, or will be by `report_missing`.
        """
        names = [braced or bare for braced, bare in _REFERENCE.findall(text)]
        missing = [name for name in names if not self._environ.get(name)]
        for name in missing:
            self._missing.setdefault(name, []).append((path, needed_by))
        if missing:
            return None
        if not names and text.startswith("$"):
            self._findings.add_problem(
                path,
                f"the secret of {needed_by} starts with '$' but names no variable. Write $NAME or ${{NAME}}.",
            )
            return None
        value = _REFERENCE.sub(lambda match: self._environ[match[1] or match[2]], text)
        if not is_header_value(value) or (" " in value and not spaced):
            origin = " and ".join(f"${name}" for name in names) or "the file"
            self._findings.add_problem(
                path,
                f"the secret of {needed_by}, from {origin}, cannot go into an HTTP header. "
                "Give it as visible ASCII, without a line end.",
            )
            return None
        return SecretStr(value)

    def report_missing(self) -> None:
        """Note each missing variable once, with all who need it."""
        for name, uses in self._missing.items():
            needed_by = ", ".join(dict.fromkeys(user for _, user in uses))
            self._findings.add_problem(uses[0][0], f"${name} is not set (needed by {needed_by}). {self._way_out}")
