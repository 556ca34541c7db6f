"""The public sets that routing is measured on, from a folder that is not part of the project."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plano_agents.config.model import Preference
from plano_agents.routing.text import Utterance

DEFAULT_FOLDER = Path(__file__).parents[2] / "shared" / "data" / "routing"
NO_MATCH = "none"

Conversation = tuple[Utterance, ...]


@dataclass(frozen=True)
class Case:
    """A conversation and what it is."""

    conversation: Conversation
    """What routing reads."""
    accepted: frozenset[str]
    """The preferences that are right; empty where none is."""
    source: str
    """Where it is from."""
    english: bool
    """True if the set's own mark says English."""


@dataclass(frozen=True)
class Turn:
    """A user's turn of a dialogue."""

    conversation: Conversation
    """Everything up to it."""
    wanted: str
    """The preference that is right."""


def read_preferences(folder: Path, name: str) -> tuple[Preference, ...]:
    """Read a set of preferences, in the order of the file."""
    routes: dict[str, str] = json.loads((folder / "routes.json").read_text())[name]
    return tuple(Preference(route, description, ("any/model",)) for route, description in routes.items())


def read_pref10(folder: Path) -> list[Case]:
    """Single prompts of twenty public sources, ten kinds of task and none."""
    return [
        Case(
            (Utterance("user", row["text"]),),
            frozenset() if row["route"] == NO_MATCH else frozenset(row["accept"] or [row["route"]]),
            row["source"],
            row["english"],
        )
        for row in _read(folder / "pref10.jsonl")
    ]


def read_plano6(folder: Path) -> list[Case]:
    """The same prompts for the preferences of Plano's own demo, where one of those is right."""
    meant: dict[str, list[str]] = json.loads((folder / "routes.json").read_text())["PLANO6_map"]
    return [
        Case((Utterance("user", row["text"]),), frozenset(meant[row["route"]]), row["source"], row["english"])
        for row in _read(folder / "pref10.jsonl")
        if row["route"] in meant
    ]


def read_clinc10(folder: Path, *, examples: int = 0, seed: int = 0) -> tuple[list[Case], dict[str, list[str]]]:
    """Short requests to an assistant, ten subjects and none; and some of them as examples, which are left out.

    Args:
        folder: Where the sets are.
        examples: How many of each preference are taken for examples.
        seed: Which ones.
    """
    rows = list(_read(folder / "clinc10.jsonl"))
    random.Random(seed).shuffle(rows)  # noqa: S311 - no secret
    taken: dict[str, list[str]] = {}
    cases = []
    for row in rows:
        route, text = row["route"], row["text"]
        if route != NO_MATCH and len(taken.setdefault(route, [])) < examples:
            taken[route].append(text)
            continue
        accepted = frozenset() if route == NO_MATCH else frozenset({route})
        cases.append(Case((Utterance("user", text),), accepted, row["source"], english=True))
    return cases, taken


def read_sgd19(folder: Path, *, user_only: bool = False) -> list[list[Turn]]:
    """Dialogues over nineteen services; the user's turns that have one."""
    dialogues = []
    for row in _read(folder / "sgd19.jsonl"):
        said: list[Utterance] = []
        turns: list[Turn] = []
        for turn in row["turns"]:
            if turn["role"] == "user" or not user_only:
                said.append(Utterance(turn["role"], turn["text"]))
            if turn["role"] == "user" and turn["route"]:
                turns.append(Turn(tuple(said), turn["route"]))
        dialogues.append(turns)
    return dialogues


def read_loops(folder: Path) -> list[dict[str, Any]]:
    """Agent loops: messages in OpenAI's form, with the route of the user's request."""
    return list(_read(folder / "loops.jsonl"))


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
