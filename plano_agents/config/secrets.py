"""Secrets from the environment and from files: ``$VAR``, ``${VAR}`` and ``{file: PATH}`` where secrets stand.

``${VAR}`` is expanded anywhere in a value, ``$VAR`` where it is a word of its own (``Bearer $TOKEN``): a dollar
within a literal key stays a dollar. No value is ever part of a message.
"""

import re
from collections.abc import Callable, Mapping

from plano_agents.config.findings import Findings, KeyPath
from plano_agents.config.sections import SecretFile
from plano_agents.errors import ConfigError
from plano_agents.http_syntax import is_header_value
from plano_agents.secret_str import SecretStr

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|(?<!\S)\$([A-Za-z_][A-Za-z0-9_]*)(?!\S)")


def has_reference(text: str) -> bool:
    """Check whether a value names a variable."""
    return _REFERENCE.search(text) is not None


def refuse_file(path: str) -> str:
    """Refuse to read any file: the reader of text that comes from none."""
    raise ConfigError(f"{path}: no file is read here.")


class SecretReader:
    """Expands one file's secrets, and gathers the variables that are missing.

    Args:
        environ: The environment's variables.
        findings: Where problems are noted.
        way_out: What a message about a missing variable proposes.
        read_file: Reads a file that holds a secret, by its path; raises `ConfigError`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        findings: Findings,
        *,
        way_out: str,
        read_file: Callable[[str], str] = refuse_file,
    ) -> None:
        self._environ = environ
        self._read_file = read_file
        self._findings = findings
        self._way_out = way_out
        self._missing: dict[str, list[tuple[KeyPath, str]]] = {}

    def read(self, secret: SecretStr, path: KeyPath, needed_by: str, *, spaced: bool = False) -> SecretStr | None:
        """Expand a secret.

        Args:
            secret: The value as the file has it.
            path: Its place.
            needed_by: Who needs it, in words for a message.
            spaced: Whether spaces may stand inside, as in ``Bearer $TOKEN``.

        Returns:
            The secret; None when a problem was noted, or will be by `report_missing`.
        """
        text = secret.get_secret_value()
        if isinstance(secret, SecretFile):
            return self._read_from(text, path, needed_by)
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
        return self._check(value, path, needed_by, " and ".join(f"${name}" for name in names), spaced=spaced)

    def _read_from(self, file: str, path: KeyPath, needed_by: str) -> SecretStr | None:
        """Read a secret from its file."""
        try:
            value = self._read_file(file)
        except ConfigError as error:
            self._findings.add_problem(path, f"the secret of {needed_by} cannot be read. {error.message}")
            return None
        if not value:
            self._findings.add_problem(path, f"the file {file!r}, with the secret of {needed_by}, is empty. Fill it.")
            return None
        return self._check(value, path, needed_by, f"the file {file!r}", spaced=False)

    def _check(self, value: str, path: KeyPath, needed_by: str, origin: str, *, spaced: bool) -> SecretStr | None:
        if is_header_value(value) and (spaced or " " not in value):
            return SecretStr(value)
        self._findings.add_problem(
            path,
            f"the secret of {needed_by}, from {origin or 'the file'}, cannot go into an HTTP header. "
            "Give it as visible ASCII, without a line end.",
        )
        return None

    def report_missing(self) -> None:
        """Note each missing variable once, with all who need it."""
        for name, uses in self._missing.items():
            needed_by = ", ".join(dict.fromkeys(user for _, user in uses))
            self._findings.add_problem(uses[0][0], f"${name} is not set (needed by {needed_by}). {self._way_out}")
