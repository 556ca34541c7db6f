"""Five agents' jobs as strips: which model each turn would go to, without affinity and with it.

Only decisions are asked for, so no model answers: what an agent says between its pieces of work is written here. Every
turn is routed by all that was said before it, as in a loop.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai
from rich.console import Console
from rich.text import Text

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.demos.job import PIECES
from plano_agents.demos.loop import count_switches
from plano_agents.demos.report import color, say
from plano_agents.demos.routing_service import ask_model

DONE = "Done; I wrote down what I found. What is next?"
"""What an agent says after a piece of work."""

LOOPS: dict[str, tuple[str, ...]] = {
    "database": tuple(piece.request for piece in PIECES),
    "incident": (
        "Checkout answers 500 since 09:14. Compare deploys, error rates and locks, and reason about the likely cause.",
        "Write the SQL query that lists the transactions that hold the locks.",
        "Two causes are left: the new index or the retry storm. Weigh the evidence for each, step by step.",
        "Write the patch: back off between retries in payments/client.py, and a test for it.",
        "Judge the risk of shipping the patch now against rolling back.",
        "Write the shell script that rolls it out to one region at a time.",
    ),
    "report": (
        "Analyse the third quarter's figures: what drove the fall in margin, and how sure can we be?",
        "Write a Python script that draws margin by region from margins.csv.",
        "Weigh the three explanations against each other and rank them.",
        "Which of the assumptions changes the conclusion if it is wrong? Reason it through.",
        "Write the summary for the board in five sentences.",
    ),
    "refactoring": (
        "Read the billing module and reason about where to cut its responsibilities, and what that would break.",
        "Extract the tax rules into a class of their own; write the code.",
        "Write the unit tests for the new class.",
        "Compare the two ways to migrate the callers, by risk and effort.",
        "Write the codemod that renames the calls.",
        "Change the constructor so that it takes a clock, and adapt the tests.",
    ),
    "research": (
        "Compare the evidence for and against a four-day week: which studies are sound, and why?",
        "Weigh how far the Icelandic trials can be generalised to retail.",
        "Write a function that computes the pooled effect from the table of studies.",
        "Discuss what the confidence interval does and does not tell us.",
        "Write the LaTeX table of all studies.",
        "Draw the conclusion, and say how certain it is and why.",
    ),
}
"""Each agent's pieces of work, in order."""


@dataclass(frozen=True, slots=True)
class Strip:
    """The models that the turns of one job would go to."""

    name: str
    """The agent."""
    without: tuple[str, ...]
    """Turn by turn, without affinity."""
    with_affinity: tuple[str, ...]
    """The same under one affinity id."""


def route_loops(client: openai.OpenAI, *, model: str) -> list[Strip]:
    """Ask a router where each turn of each job would go.

    Args:
        client: Connected to the router.
        model: The model to ask for where no preference matches.

    Raises:
        openai.OpenAIError: The router failed.
    """
    return [
        Strip(
            name,
            _route(client, requests, model=model, headers={}),
            _route(client, requests, model=model, headers={AFFINITY_HEADER: f"{name}-{uuid.uuid4()}"}),
        )
        for name, requests in LOOPS.items()
    ]


def _route(client: openai.OpenAI, requests: Sequence[str], *, model: str, headers: dict[str, str]) -> tuple[str, ...]:
    messages: list[Any] = []
    models = []
    for request in requests:
        messages.append({"role": "user", "content": request})
        models.append(ask_model(client, model=model, messages=messages, headers=headers))
        messages.append({"role": "assistant", "content": DONE})
    return tuple(models)


def show_strips(console: Console, strips: Sequence[Strip]) -> None:
    """Show the strips, the count of switches beside each, and what the letters stand for."""
    names = list(dict.fromkeys(model for strip in strips for model in (*strip.without, *strip.with_affinity)))
    letters = {name: chr(ord("A") + at) for at, name in enumerate(names)}
    longest = max(len(strip.without) for strip in strips)
    say(console, Text("Each letter is a turn, and the model that it would go to:"))
    for name, letter in letters.items():
        say(console, Text.assemble((f" {letter} ", f"bold reverse {color(name)}"), f" {name}"))
    say(console, Text())
    say(console, Text(f"{'agent':<12}{'without affinity':<{longest * 3 + 5}}with affinity", "bold"))
    for strip in strips:
        line = Text(f"{strip.name:<12}")
        for models in (strip.without, strip.with_affinity):
            for name in models:
                line.append(f" {letters[name]} ", f"bold reverse {color(name)}")
            count = count_switches(models)
            line.append(" " * (longest - len(models)) * 3)
            line.append(f" {count:>2}  ", "bold red" if count else "bold green")
        line.rstrip()
        say(console, line)
    sums = [sum(count_switches(getattr(strip, kind)) for strip in strips) for kind in ("without", "with_affinity")]
    say(console, Text())
    say(console, Text(f"Switches in {len(strips)} jobs: {sums[0]} without affinity, {sums[1]} with it.", "bold"))
