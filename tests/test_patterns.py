"""Patterns that every Python from 3.11.0 on reads alike."""

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]  # the tree of a pattern has no public name

import plano_agents

SINGLE = {_constants.IN, _constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY}


def repeats_a_group_possessively(tree: Iterable[object]) -> bool:
    for part in tree:
        if isinstance(part, tuple) and part and part[0] is _constants.POSSESSIVE_REPEAT:
            repeated = part[1][2]
            if len(repeated) > 1 or repeated[0][0] not in SINGLE:
                return True
        elif isinstance(part, tuple | list | _parser.SubPattern) and repeats_a_group_possessively(part):
            return True
    return False


def find_patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Find the patterns that modules hold by name."""
    for module in pkgutil.walk_packages(plano_agents.__path__, "plano_agents."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {
        f"{name}.{each}": value
        for name, module in list(sys.modules.items())
        if name.startswith("plano_agents")
        for each, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }


def test_no_group_is_repeated_possessively() -> None:
    """Before 3.11.5 such a pattern finds the wrong thing where the group's end is tried in two ways (gh-106052)."""
    found = find_patterns()
    assert len(found) > 50
    assert [
        name
        for name, pattern in found.items()
        if repeats_a_group_possessively(_parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE))
    ] == []


def test_such_a_pattern_is_found() -> None:
    assert repeats_a_group_possessively(_parser.parse(r"x(?:a|(?:b*c)*+)"))
    assert not repeats_a_group_possessively(_parser.parse(r"x(?:a|(?:b*+c)*)[ab]++.*+"))
