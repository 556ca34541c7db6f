"""YAML text to plain data that knows its lines.

YAML as PyYAML's safe loader reads it, minus what a configuration has no use for: a key twice, a key that is no
text, a key without a value, a root that is not a mapping, tags that make objects. Anchors, aliases and merge keys
(``<<``) work; what they expand to is bounded. Which keys there are is left to ``schema``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from plano_agents.config.findings import Findings, KeyPath, format_path, format_value
from plano_agents.errors import ConfigError

MAX_CHARACTERS = 1024 * 1024
"""The longest text that is read."""

MAX_VALUES = 50_000
"""How many values a file may hold once its aliases are expanded; each key that ``<<`` merges counts as one."""

MAX_INTEGER = 2**63 - 1
"""The largest whole number, and with a minus the smallest."""

_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_NULL = _TAG + "null"
# A date stays the text it is written as: nothing in a configuration is a date.
_TEXT = frozenset({_TAG + "str", _TAG + "timestamp", _TAG + "value"})
_SCALARS = {
    _TAG + "bool": SafeConstructor.construct_yaml_bool,
    _TAG + "int": SafeConstructor.construct_yaml_int,
    _TAG + "float": SafeConstructor.construct_yaml_float,
}


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file, read."""

    data: dict[str, object]
    """The root mapping: text keys; text, numbers, booleans, lists and mappings as values. What cannot be read is
    noted and left out; in a list, None stands in its place."""
    lines: Mapping[KeyPath, int]
    """The line of each key and list item, from 1."""
    findings: Findings
    """The problems found so far; the checks that follow add theirs."""


def parse_document(text: str, source: str) -> Document:
    """Read a YAML text.

    Args:
        text: The file's content; nothing but comments is an empty mapping.
        source: The file's name, as messages show it.

    Returns:
        The data, with the line of each place, and what is wrong with it so far.

    Raises:
        ConfigError: The text is not YAML at all, or too much of it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{source}: the file has {len(text):,} characters, and {MAX_CHARACTERS:,} are read at most. "
            "Is it the right file?"
        )
    try:
        root = _compose(text, source)
        reader = _Reader(source)
        data = reader.read_root(root) if root is not None else {}
    except RecursionError:
        raise ConfigError(
            f"{source}: values are nested too deeply, or an anchor contains itself. Flatten them."
        ) from None
    return Document(data, reader.lines, reader.findings)


def _compose(text: str, source: str) -> Node | None:
    """Parse the text into YAML's nodes, which know their lines."""
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root: Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{source}:{mark.line + 1 if mark else 1}: {_explain(error)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{source}:{line}: the character {error.character!r} is not allowed in YAML. "
            "Remove it, or write it as an escape in double quotes."
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML lets int() and chr() raise on oversized escapes and directives.
        line = loader.line + 1 if loader is not None else 1
        raise ConfigError(f"{source}:{line}: this is not valid YAML. Look for an escape like \\U.") from None
    finally:
        if loader is not None:
            loader.dispose()
    return root


def _explain(error: yaml.MarkedYAMLError) -> str:
    """Word a syntax error on one line, without the words of the file that PyYAML quotes: one may be a key."""
    problem = re.sub(r""" (['"])[^<'"].+\1""", "", error.problem or "unexpected text")
    context = re.sub(r""" (['"])[^<'"].+\1""", "", error.context or "")
    where = f" ({context})" if context else ""
    return (
        f"this is not valid YAML: {problem}{where}. Check the indentation, the colons and the quotes "
        "on this line and the one before."
    )


class _Reader:
    """One pass over a file's nodes: collects data, lines and problems."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: dict[KeyPath, int] = {}
        self.findings = Findings(source, self.lines)
        self._values = 0

    def read_root(self, node: Node) -> dict[str, object]:
        """Read the whole file."""
        self.lines[()] = _line(node)
        if isinstance(node, MappingNode):
            return self._read_mapping(node, ())
        if node.tag != _NULL:
            self.findings.add_problem((), "the file is not a mapping. Write it as lines of 'key: value'.")
        return {}

    def _read_value(self, node: Node, path: KeyPath) -> object:
        self._count()
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._read_mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return self._read_list(node, path)
        if isinstance(node, ScalarNode):
            return self._read_scalar(node, path)
        self.findings.add_problem(path, f"{format_path(path)} has a YAML tag. Remove the tag.")
        return None

    def _read_list(self, node: SequenceNode, path: KeyPath) -> list[object]:
        items = []
        for index, item in enumerate(node.value):
            self.lines[(*path, index)] = _line(item)
            items.append(self._read_value(item, (*path, index)))
        return items

    def _read_mapping(self, node: MappingNode, path: KeyPath) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key, (key_node, value_node) in self._read_pairs(node).items():
            self.lines[(*path, key)] = _line(key_node)
            value = self._read_value(value_node, (*path, key))
            if value is not None:
                mapping[key] = value
        return mapping

    def _read_pairs(self, node: MappingNode) -> dict[str, tuple[Node, Node]]:
        """A mapping's keys with their nodes, merged ones included: its own win, then the first merged."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for base in self._find_bases(value_node):
                    self._count(1 + len(base.value))
                    for key, pair in self._read_pairs(base).items():
                        merged.setdefault(key, pair)
            elif not (isinstance(key_node, ScalarNode) and key_node.tag in _TEXT):
                self._add_problem(key_node, "a key is not text. Put it into quotes.")
            elif key_node.value in own:
                first = _line(own[key_node.value][0])
                self._add_problem(
                    key_node, f"the key {format_value(key_node.value)} is also on line {first}. Keep one."
                )
            elif self._is_text(key_node):
                own[key_node.value] = (key_node, value_node)
        return merged | own

    def _find_bases(self, node: Node) -> Iterator[MappingNode]:
        """The mappings that a merge key names."""
        for base in node.value if isinstance(node, SequenceNode) else (node,):
            if isinstance(base, MappingNode):
                yield base
            else:
                self._add_problem(base, "'<<' merges mappings only. Name an anchor of one, as in '<<: *base'.")

    def _read_scalar(self, node: ScalarNode, path: KeyPath) -> object:
        if node.tag in _TEXT:
            return node.value if self._is_text(node) else None
        if node.tag == _NULL:
            self.findings.add_problem(path, f"{format_path(path)} has no value. Give it one, or remove the line.")
            return None
        construct = _SCALARS.get(node.tag)
        if construct is None:
            self.findings.add_problem(path, f"{format_path(path)} has a YAML tag. Remove the tag.")
            return None
        try:
            value = construct(SafeConstructor(), node)
        except (ValueError, KeyError, IndexError, OverflowError):
            self.findings.add_problem(path, f"{format_path(path)} is not what its YAML tag says. Put it into quotes.")
            return None
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            self.findings.add_problem(path, f"{format_path(path)} is beyond 64 bits. Write a smaller number.")
            return None
        return value

    def _is_text(self, node: Node) -> bool:
        """Check whether a scalar can be written as UTF-8; an escape of half a surrogate pair cannot."""
        try:
            node.value.encode()
        except UnicodeEncodeError:
            self._add_problem(node, "an escape like \\uD800 is half a character. Write the character itself.")
            return False
        return True

    def _add_problem(self, node: Node, message: str) -> None:
        self.findings.add_problem_on(_line(node), message)

    def _count(self, values: int = 1) -> None:
        """Count values; without this bound a few aliases of aliases fill the memory."""
        self._values += values
        if self._values > MAX_VALUES:
            raise ConfigError(
                f"{self.source}: the file holds more than {MAX_VALUES:,} values once its aliases (*name) are "
                "expanded. Use fewer."
            )


def _line(node: Node) -> int:
    """The line that a node starts on, from 1."""
    line: int = node.start_mark.line + 1
    return line
