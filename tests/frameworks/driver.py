"""Runs a framework's agent four times at once, each run in a scope of its own: a script, for any environment.

The arguments are the framework's name, the router's base URL and the runs' affinity ids. A framework's module says what
it needs to be installed (``NEEDS``, the first of which is the framework), whether it carries the id by itself
(``NATIVE``) or by `instrument`, and how its agent answers a question with a tool (``run``, or ``arun``). Printed is the
version that was tested, below ``started``.
"""

import asyncio
import importlib.metadata
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from types import ModuleType

from plano_agents import bind_context, instrument, model_affinity

QUESTION = "What is the weather in Paris and in Rome?"
ANSWER = "18 degrees"


def weather(city: str) -> str:
    """Weather in a city.

    Args:
        city: The city's name.
    """
    return f"18 degrees in {city}"


def find_version(needs: list[str]) -> str:
    """The version of the first of some requirements."""
    return importlib.metadata.version(re.split(r"[\[<>=~ ]", needs[0], maxsplit=1)[0])


def check(said: str) -> None:
    """See that an agent read what its tool answered."""
    if ANSWER not in said:
        raise AssertionError(f"the agent did not answer from its tool: {said!r}")


def run_in_threads(framework: ModuleType, url: str, ids: list[str]) -> None:
    """Run an agent in bare threads, which keep their scope by `bind_context`."""

    def run() -> None:
        check(framework.run(url))

    with ThreadPoolExecutor(len(ids)) as pool:
        futures = []
        for affinity_id in ids:
            with model_affinity(affinity_id):
                futures.append(pool.submit(bind_context(run)))
        for future in futures:
            future.result()


async def run_in_tasks(framework: ModuleType, url: str, ids: list[str]) -> None:
    """Run an agent in tasks of one event loop."""

    async def run(affinity_id: str) -> None:
        async with model_affinity(affinity_id):
            check(await framework.arun(url))

    await asyncio.gather(*map(run, ids))


os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the web for prices


def main(name: str, url: str, *ids: str) -> None:
    """Run them, in every way that the framework has."""
    print("started", flush=True)  # noqa: T201 - from here on, a failure is the framework's or ours
    framework = import_module(f"tests.frameworks.{name}")
    if not framework.NATIVE:
        instrument(url)
    if hasattr(framework, "run"):
        run_in_threads(framework, url, list(ids))
    if hasattr(framework, "arun"):
        asyncio.run(run_in_tasks(framework, url, list(ids)))
    print(find_version(framework.NEEDS))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
