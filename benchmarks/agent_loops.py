"""Measures what routing does to agent loops, without and with model affinity, and prints the tables of docs/routing.md.

    uv run --group dev python benchmarks/agent_loops.py [--data FOLDER]

Each loop is a user's request and the steps of an agent that works on it. Every turn is sent to a router's decision
endpoint (simulated models, real routing), as an agent would: without an id, with ``route_on_user_only``, and with an
affinity id. The first table asks the embedded strategy alone, by what is read of the loop; its times are a core's. The
second's are the clock's, and short where agents' steps recur from loop to loop, as they do here.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import yaml

from benchmarks.routing_rivals import Score, build_embedded
from benchmarks.routing_sets import DEFAULT_FOLDER, read_loops, read_preferences
from plano_agents.config.model import DEFAULT_THRESHOLD, Preference
from plano_agents.routing.embedded.engine import Engine
from plano_agents.routing.text import Utterance
from plano_agents.testing import offline_router

Messages = Sequence[Mapping[str, Any]]


@dataclass
class Loops:
    """The outcome of all loops under one way of routing."""

    right: list[bool] = field(default_factory=list)
    """Of each turn."""
    switches: list[int] = field(default_factory=list)
    """Of each loop."""
    first: list[float] = field(default_factory=list)
    """How long routing took on each loop's first turn, in milliseconds."""
    later: list[float] = field(default_factory=list)
    """The same on the turns after it."""

    def add(self, routes: Sequence[str | None], accepted: Sequence[str], milliseconds: Sequence[float]) -> None:
        """Note one loop."""
        self.right += [route in accepted for route in routes]
        self.switches.append(sum(one != other for one, other in pairwise(routes)))
        self.first.append(milliseconds[0])
        self.later += milliseconds[1:]

    def row(self, name: str) -> str:
        """Write a row of the table."""
        share = statistics.mean(count > 0 for count in self.switches)
        return (
            f"| {name} | {statistics.mean(self.right):.0%} | {statistics.mean(self.switches):.2f} | {share:.0%} "
            f"| {statistics.median(self.first):.1f} | {statistics.median(self.later):.2f} |"
        )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="the folder of the sets")
    options = parser.parse_args()
    loops = read_loops(options.data)
    preferences = read_preferences(options.data, "PREF10")
    head = "| | turns right | switches per loop | loops that switch | ms, first turn | ms, later turns |"
    rule = "|---|---|---|---|---|---|"
    turns = sum(len(list(_turns(loop["messages"]))) for loop in loops)
    print(f"{len(loops)} loops, {turns} turns\n\nRead of the loop:\n\n{head}\n{rule}")
    engine, score = build_embedded()
    for name, read in READINGS.items():
        print(ask_strategy(loops, preferences, engine, score, read).row(name), flush=True)
    print(f"\nThrough a router:\n\n{head}\n{rule}")
    for name, routing, sends_id in (
        ("without affinity", {}, False),
        ("without, route_on_user_only", {"route_on_user_only": True}, False),
        ("with affinity", {}, True),
    ):
        print(ask_router(loops, preferences, routing, sends_id=sends_id).row(name), flush=True)


def _text(message: Mapping[str, Any]) -> str:
    return str(message.get("content") or "")


def _spoken(messages: Messages) -> list[Utterance]:
    return [
        Utterance(each["role"], _text(each))
        for each in messages
        if each["role"] in {"user", "assistant"} and _text(each)
    ][-16:]


READINGS: Mapping[str, Callable[[Messages], list[Utterance]]] = {
    "the last message of any role": lambda messages: [Utterance("user", _text(messages[-1]) or "-")],
    "Plano's window as one text": lambda messages: [
        Utterance("user", "\n".join(said.text for said in _spoken(messages)))
    ],
    "the window, message by message (default)": _spoken,
    "what the user said (route_on_user_only)": lambda messages: [
        said for said in _spoken(messages) if said.role == "user"
    ],
}
"""What may be read of a loop."""


def ask_strategy(
    loops: Sequence[Mapping[str, Any]],
    preferences: Sequence[Preference],
    engine: Engine,
    score: Score,
    read: Callable[[Messages], list[Utterance]],
) -> Loops:
    """Route every turn by the strategy alone; the agents' steps recur, so each loop is made to be the first."""
    found = Loops()
    for loop in loops:
        engine._vectors.clear()  # noqa: SLF001 - what earlier loops left would make this one look fast
        score((Utterance("user", "hello"),), preferences)
        routes: list[str | None] = []
        milliseconds = []
        for messages in _turns(loop["messages"]):
            began = time.process_time()
            scores = score(read(messages), preferences)
            milliseconds.append((time.process_time() - began) * 1000)
            best = max(range(len(scores)), key=scores.__getitem__)
            routes.append(preferences[best].name if scores[best] > DEFAULT_THRESHOLD else None)
        found.add(routes, loop["accept"] or [loop["route"]], milliseconds)
    return found


def ask_router(
    loops: Sequence[Mapping[str, Any]],
    preferences: Sequence[Preference],
    routing: Mapping[str, Any],
    *,
    sends_id: bool,
) -> Loops:
    """Route every turn through a router of its own; switches are those of the model, as an agent sees them."""
    found = Loops()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(_configure(preferences, routing)))
        with offline_router(config) as router:
            url = router.replace("/v1", "/routing/v1/chat/completions")
            _ask(url, [{"role": "user", "content": "hello"}], None)
            for number, loop in enumerate(loops):
                answers = [
                    _ask(url, messages, f"loop-{number}" if sends_id else None) for messages in _turns(loop["messages"])
                ]
                found.add(
                    [route for route, _ in answers],
                    loop["accept"] or [loop["route"]],
                    [milliseconds for _, milliseconds in answers],
                )
    return found


def _turns(messages: Messages) -> Iterator[Messages]:
    """Give the transcript as it stands before each of the agent's steps."""
    for end, message in enumerate(messages):
        if message["role"] == "assistant":
            yield messages[:end]
    if messages[-1]["role"] != "assistant":
        yield messages


def _configure(preferences: Sequence[Preference], routing: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "model_listener", "port": 12000}],
        "model_providers": [
            {"model": "openai/default", "default": True},
            *({"model": f"openai/{each.name}"} for each in preferences),
        ],
        "routing_preferences": [
            {"name": each.name, "description": each.description, "models": [f"openai/{each.name}"]}
            for each in preferences
        ],
        "routing": dict(routing),
    }


def _ask(url: str, messages: Messages, affinity_id: str | None) -> tuple[str | None, float]:
    """Ask for a decision; give the route, and how long routing took in milliseconds."""
    headers = {"content-type": "application/json"}
    if affinity_id is not None:
        headers["x-model-affinity"] = affinity_id
    body = json.dumps({"messages": messages}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:  # noqa: S310 - loopback
        timing = answer.headers["server-timing"]
        return json.load(answer)["route"], float(timing.partition("routing;dur=")[2].partition(",")[0])


if __name__ == "__main__":
    main()
