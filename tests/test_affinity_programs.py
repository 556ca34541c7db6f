"""Scopes as a property: whatever program opens them, in tasks, threads and generators, each step sees its own."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.affinity import bind_context, current_affinity_id, model_affinity

IDS = st.sampled_from(["a", "b", "c"])


@dataclass(frozen=True, slots=True)
class Look:
    """Compare the current id with the expected one."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Run steps in a scope, or in a lane of the enclosing one."""

    name: str
    lane: bool
    steps: "Steps"


@dataclass(frozen=True, slots=True)
class Tasks:
    """Run several programs at once."""

    programs: "tuple[Steps, ...]"


@dataclass(frozen=True, slots=True)
class Thread:
    """Run steps in a bare thread: bound to the context, or without one."""

    bound: bool
    steps: "Steps"


@dataclass(frozen=True, slots=True)
class Generate:
    """Read a generator that looks at every step, in a scope that the reader opens and closes meanwhile."""

    name: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Leave a scope by an exception."""

    name: str


Step: TypeAlias = Look | Scope | Tasks | Thread | Generate | Fail
Steps: TypeAlias = tuple[Step, ...]


def nest(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    """Steps that hold steps."""
    steps = st.lists(inner, max_size=3).map(tuple)
    return (
        st.builds(Scope, IDS, st.booleans(), steps)
        | st.builds(Tasks, st.lists(steps, min_size=2, max_size=3).map(tuple))
        | st.builds(Thread, st.booleans(), steps)
    )


LEAVES: st.SearchStrategy[Step] = st.just(Look()) | st.builds(Generate, IDS) | st.builds(Fail, IDS)
PROGRAMS: st.SearchStrategy[Steps] = st.lists(st.recursive(LEAVES, nest, max_leaves=12), min_size=1, max_size=4).map(
    tuple
)


def look(expected: str | None) -> None:
    assert current_affinity_id() == expected


async def run(steps: Steps, expected: str | None) -> None:
    """Run steps; ``expected`` is the id that the language's own nesting gives."""
    for step in steps:
        await asyncio.sleep(0)  # let the others in
        await run_step(step, expected)
        look(expected)


async def run_step(step: Step, expected: str | None) -> None:
    match step:
        case Look():
            look(expected)
        case Scope(name, lane, steps):
            async with model_affinity(lane=name) if lane else model_affinity(name) as given:
                assert given.endswith(f"/{name}" if lane else name)
                assert not lane or expected is None or given == f"{expected}/{name}"
                await run(steps, given)
        case Tasks(programs):
            await asyncio.gather(*(run(program, expected) for program in programs))
        case Thread(bound, steps):
            await run_thread(bound=bound, steps=steps, expected=expected)
        case Generate(name):
            async with model_affinity(name):
                seen = [given async for given in generate()]
            assert seen == [name] * 3
        case Fail(name):
            with suppress(LookupError), model_affinity(name):
                look(name)
                raise LookupError
            look(expected)


async def generate() -> AsyncGenerator[str | None]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield current_affinity_id()


async def run_thread(*, bound: bool, steps: Steps, expected: str | None) -> None:
    """Run steps in an event loop of a bare thread, while this one goes on."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(run(steps, expected if bound else None))
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=bind_context(work) if bound else work)
    thread.start()
    await done.wait()
    thread.join()
    assert failures == []


@settings(max_examples=200)
@given(PROGRAMS)
def test_every_step_of_every_program_sees_the_scope_that_encloses_it(program: Steps) -> None:
    asyncio.run(run(program, None))
