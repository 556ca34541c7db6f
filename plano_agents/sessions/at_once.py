"""Coroutines that never wait, run like functions: what a store in memory answers needs no task."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing.

    Raises:
        RuntimeError: It waits.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("The coroutine waits for something.")
