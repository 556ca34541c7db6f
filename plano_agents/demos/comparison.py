"""The demo itself: the loop twice against one router, without and with affinity."""

import os
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import openai
from rich.console import Console

from plano_agents.demos.failures import Stage, play
from plano_agents.demos.job import QUERY
from plano_agents.demos.loop import NoCompletionError, run_turns
from plano_agents.demos.loops import route_loops, show_strips
from plano_agents.demos.report import encode_trace, show_answers, show_bill, show_runs
from plano_agents.demos.routing_service import find_routing
from plano_agents.demos.terminal import announcing
from plano_agents.errors import PlanoError
from plano_agents.integrations.router_address import name_url


class DemoError(PlanoError):
    """The demo could not be run to its end."""

    code = "demo_failed"


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: Annotated[list[_Model], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Options:
    """The choices of who runs the demo."""

    affinity_id: str
    """The second run's id."""
    model: str | None
    """The model to ask for; None for the first that the router lists, its default."""
    max_turns: int
    """How many turns a run takes at most."""
    simulated: bool
    """Whether the models are simulated, which is said."""
    as_json: bool
    """Whether to print one JSON object instead."""
    shows_answers: bool
    """Whether to print what the agent wrote, too."""


def compare(router: str, options: Options) -> None:
    """Run the loop without and with affinity, and show both on standard output.

    Args:
        router: The router's base URL, ``/v1`` included.
        options: The choices of who runs the demo.

    Raises:
        DemoError: The router or a provider failed.
    """
    console = Console(quiet=options.as_json, highlight=False)
    client = _connect(router)
    for line in _introduce(router, console.width, simulated=options.simulated):
        console.print(line, soft_wrap=True)
    with _explained(router):
        asked = options.model or _find_default(client)
        if options.simulated:
            with announcing("Loading the routing …"):
                _wake(client, asked)
        without, with_affinity = (
            run_turns(client, name=name, model=asked, affinity_id=each, max_turns=options.max_turns)
            for name, each in (("run 1", None), ("run 2", options.affinity_id))
        )
        runs = show_runs(console, options.affinity_id, without, with_affinity)
    if options.as_json:
        print(encode_trace(router, simulated=options.simulated, runs=runs), flush=True)  # noqa: T201 - what --json is for
        return
    show_bill(console, *runs, simulated=options.simulated)
    if options.shows_answers:
        show_answers(console, runs[1])


def compare_loops(router: str, *, model: str | None) -> None:
    """Show where each turn of five agents' jobs would go, without and with affinity.

    Args:
        router: The router's base URL, ``/v1`` included.
        model: The model to ask for; None for the router's default.

    Raises:
        DemoError: The router failed.
    """
    client = _connect(router)
    with _explained(router):
        strips = route_loops(client, model=model or _find_default(client))
    show_strips(Console(highlight=False), strips)


def fail_and_restart(config: Path, *, affinity_id: str, model: str | None, fast: bool) -> None:
    """Run the loop with affinity while its model's providers fail and the router restarts.

    Args:
        config: The ``config.yaml`` whose models and preferences are used.
        affinity_id: The run's id.
        model: The model to ask for; None for the router's default.
        fast: Whether the simulated models answer at once.

    Raises:
        DemoError: The router failed.
        ChildNotStartedError: It did not start.
    """
    with Stage(config, fast=fast) as stage, _explained(stage.url):
        play(
            Console(highlight=False),
            stage,
            affinity_id=affinity_id,
            model=model or _find_default(_connect(stage.url)),
        )


def _connect(router: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=router, api_key=os.environ.get("PLANO_API_KEY") or "none")


@contextmanager
def _explained(router: str) -> Iterator[None]:
    """Say of what fails inside what to do about it."""
    try:
        yield
    except openai.APIConnectionError as error:
        raise DemoError(
            f"No router answers at {name_url(router)} ({error}). Start one with 'scripts/uv run plano-agents up --offline', or unset "
            "PLANO_BASE_URL and PLANO_URL."
        ) from error
    except openai.APIStatusError as error:
        raise DemoError(f"The router answered {error.status_code}: {_message(error)}") from error
    except (openai.OpenAIError, NoCompletionError) as error:
        raise DemoError(f"The loop failed: {error}") from error
    except msgspec.DecodeError as error:
        raise DemoError(f"What answers at {name_url(router)} sent no routing decision.") from error


def _find_default(client: openai.OpenAI) -> str:
    """Find the model that a router lists first, its default.

    Raises:
        DemoError: The list holds no models: some other web server answers.
    """
    listed = client.models.with_raw_response.list()
    try:
        return msgspec.json.decode(listed.content, type=_Models).data[0].id
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DemoError(
            f"What answers at {name_url(str(client.base_url))} is not a router: it lists no models. Set PLANO_BASE_URL to the address of "
            "one, or unset it."
        ) from error


def _wake(client: openai.OpenAI, model: str) -> None:
    """Ask a router of the demo's own for a decision alone, so that it has loaded its routing before that is timed."""
    routing = client.with_options(base_url=find_routing(str(client.base_url)))
    routing.chat.completions.with_raw_response.create(model=model, messages=[{"role": "user", "content": "hello"}])


def _introduce(router: str, width: int, *, simulated: bool) -> list[str]:
    """Say what is asked, and of whom."""
    head = ["The models are simulated, the routing is real; nothing leaves this machine."] if simulated else []
    query = textwrap.shorten(QUERY, min(width, 80) - len('Query   ""'), placeholder=" …")
    return [*head, f"Router  {router}", f'Query   "{query}"', ""]


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    return str(body["message"]) if isinstance(body, dict) and "message" in body else error.message
