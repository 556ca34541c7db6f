"""Leftovers of finished requests, with the garbage collector off: objects of some kinds, counted."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SECONDS = 30
"""How long the last of a request may be on its way to its end; a leak takes as long to be told."""

Kinds = tuple[type, ...]


@contextmanager
def collector_off() -> Iterator[None]:
    """Collect nothing: a reference cycle stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def leave_out_what_is_there() -> None:
    """Count only what is made from now on; the rest is not looked at again, for each look at it takes a second."""
    gc.collect()
    gc.freeze()


def count_left(kinds: Kinds) -> Counter[str]:
    """Count the objects of some kinds."""
    return Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds))


async def wait_until_gone(kinds: Kinds) -> Counter[str]:
    """Wait for what is on its way to its end; give what stays."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            while count_left(kinds):  # noqa: ASYNC110 - the end of an object sets no event
                await asyncio.sleep(0)
    return count_left(kinds)
