"""A checker of histories: could what concurrent clients saw have happened one step after another?

Each operation must seem to happen at one moment between its beginning and its end (Herlihy & Wing, 1990). The search
is Wing & Gong's (1993): take any operation that nothing else had to precede, see whether the state allows its result,
go on; with Lowe's (2017) memory of which sets of operations have led to which state before.

An operation whose result nobody knows may have happened at any moment since it began, or never.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)
Step = TypeVar("Step", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Step]):
    """A client's operation, with its first and last moment; moments are counted, not measured."""

    step: Step
    began: int
    ended: float = math.inf
    """Infinite where its result is not known."""


def is_linearizable(
    history: Sequence[Operation[Step]],
    apply: Callable[[State, Step], Iterable[State]],
    state: State,
    *,
    is_read: Callable[[Step], bool],
) -> bool:
    """Search for an order in which everything could have happened.

    Three shortcuts lose no such order. A read that is possible now is taken now. What has no known end is not taken
    where it would change nothing, for it may as well happen never; and of several alike only the first that began.

    Args:
        history: Of one object.
        apply: Gives the states that a step may lead to; none where the state does not allow it with its result.
        state: At first.
        is_read: Whether a step, with the result it had, changes no state.
    """
    # What is tried last stands first: what may never have happened, and of the rest what ended late.
    operations = sorted(history, key=lambda operation: (-operation.ended, -operation.began))
    wanted = sum(1 << number for number, each in enumerate(operations) if each.ended < math.inf)
    trail, seen = [(0, state)], {(0, state)}
    while trail:
        done, state = trail.pop()
        if done & wanted == wanted:
            return True
        for following in _find_next(operations, done, state, apply, is_read):
            if following not in seen:
                seen.add(following)
                trail.append(following)
    return False


def _find_next(
    operations: Sequence[Operation[Step]],
    done: int,
    state: State,
    apply: Callable[[State, Step], Iterable[State]],
    is_read: Callable[[Step], bool],
) -> list[tuple[int, State]]:
    """The next steps that are possible: the operations done by then, and the state."""
    left = [(number, each) for number, each in enumerate(operations) if not done >> number & 1]
    first_end = min(each.ended for _, each in left)
    found: dict[object, tuple[int, State]] = {}
    for number, each in left:
        if each.began > first_end:
            continue
        for after in apply(state, each.step):
            following = (done | 1 << number, after)
            if each.ended < math.inf:
                if is_read(each.step):
                    return [following]
                found[number, after] = following
            elif after != state:
                found[each.step, after] = following
    return list(found.values())
