"""The checker of histories, checked: on a register that is written and read."""

import math
from typing import NamedTuple

import pytest

from tests.sessions.linearizability import Operation, is_linearizable


class Write(NamedTuple):
    value: int


class Read(NamedTuple):
    value: int


class Undo(NamedTuple):
    """The register has one of these values afterwards."""

    values: tuple[int, ...]


def apply(state: int, step: Write | Read | Undo) -> tuple[int, ...]:
    if isinstance(step, Undo):
        return step.values
    return () if isinstance(step, Read) and step.value != state else (step.value,)


def is_read(step: Write | Read | Undo) -> bool:
    return isinstance(step, Read)


def during(began: int, ended: float, step: Write | Read | Undo) -> Operation[Write | Read | Undo]:
    return Operation(step, began, ended)


GOOD = {
    "one after the other": [during(1, 2, Write(1)), during(3, 4, Read(1))],
    "a read before a write": [during(1, 2, Read(0)), during(3, 4, Write(1))],
    "a read during a write sees the old": [during(1, 4, Write(1)), during(2, 3, Read(0))],
    "a read during a write sees the new": [during(1, 4, Write(1)), during(2, 3, Read(1))],
    "reads during a write see the old, then the new": [
        during(1, 6, Write(1)),
        during(2, 3, Read(0)),
        during(4, 5, Read(1)),
    ],
    "concurrent writes in either order": [
        during(1, 4, Write(1)),
        during(2, 3, Write(2)),
        during(5, 6, Read(1)),
    ],
    "an unknown write that never happened": [during(1, math.inf, Write(1)), during(2, 3, Read(0))],
    "an unknown write that happened late": [
        during(1, math.inf, Write(1)),
        during(2, 3, Read(0)),
        during(4, 5, Write(2)),
        during(6, 7, Read(1)),
    ],
    "a step that may lead to several states": [
        during(1, 2, Write(1)),
        during(3, 4, Undo((0, 1))),
        during(5, 6, Read(0)),
        during(7, 8, Read(0)),
    ],
    "nothing": [],
}
BAD = {
    "a write that is not seen": [during(1, 2, Write(1)), during(3, 4, Read(0))],
    "a value that nobody wrote": [during(1, 2, Write(1)), during(3, 4, Read(2))],
    "a value before it is written": [during(1, 2, Read(1)), during(3, 4, Write(1))],
    "a value that comes back": [
        during(1, 2, Write(1)),
        during(3, 4, Write(2)),
        during(5, 6, Read(2)),
        during(7, 8, Read(1)),
    ],
    "reads during a write see the new, then the old": [
        during(1, 6, Write(1)),
        during(2, 3, Read(1)),
        during(4, 5, Read(0)),
    ],
    "readers that disagree on the order of two writes": [
        during(1, 10, Write(1)),
        during(1, 10, Write(2)),
        during(11, 12, Read(1)),
        during(13, 14, Read(2)),
    ],
    "an unknown write that happened twice": [
        during(1, math.inf, Write(1)),
        during(2, 3, Read(1)),
        during(4, 5, Write(2)),
        during(6, 7, Read(1)),
    ],
    "a step that led to several states at once": [
        during(1, 2, Undo((0, 1))),
        during(3, 4, Read(1)),
        during(5, 6, Read(0)),
    ],
    "an unknown write that was seen before it began": [
        during(1, 2, Read(1)),
        during(3, math.inf, Write(1)),
    ],
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD.keys())
def test_a_history_that_could_have_happened_in_some_order_is_accepted(
    history: list[Operation[Write | Read | Undo]],
) -> None:
    assert is_linearizable(history, apply, 0, is_read=is_read)


@pytest.mark.parametrize("history", BAD.values(), ids=BAD.keys())
def test_a_history_that_could_not_have_happened_is_rejected(history: list[Operation[Write | Read | Undo]]) -> None:
    assert not is_linearizable(history, apply, 0, is_read=is_read)
