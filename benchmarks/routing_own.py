"""Measures the embedded strategy on own prompts that no training saw; it needs no public set.

    uv run --group dev python benchmarks/routing_own.py

Weights and heads are chosen by these figures, so that the public sets need to be looked at once per candidate only.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import yaml

from benchmarks.routing_decisions import Decisions, Row, decide_all, measure_dialogues, print_table
from benchmarks.routing_rivals import Score, build_embedded
from benchmarks.routing_sets import NO_MATCH, Case, Turn
from plano_agents.config.model import Preference
from plano_agents.routing.text import Utterance
from training.routing.kinds import KINSHIP

OWN = Path(__file__).parent / "own_prompts"
LISTS = ("everyday", "everyday_again", "everyday_third", "code_or_not", "code_or_not_again")
"""Lists of prompts at the shipped ``config.yaml``, under the preference expected."""
SUBJECTS_BESIDE = 10
"""How many subjects are preferences at once; a prompt of each of the others fits none of them."""
KINDS_BESIDE = 10
"""How many kinds of task."""
DRAWS = 4
"""How often subjects, or kinds, are parted anew."""


def main() -> None:
    """Measure, and print."""
    score = build_embedded()[1]
    print_table(measure_own(score))
    shares = measure_dialogues(score, *read_dialogues())
    print(
        "own dialogues, turns / spans / whole:", " / ".join(shares["decided"]), "ranked", " / ".join(shares["ranked"])
    )


def measure_own(score: Score) -> dict[str, Row]:
    """Measure lists at the shipped configuration, six broad preferences, and subjects."""
    config = yaml.safe_load((OWN.parents[1] / "config.yaml").read_text())
    shipped = [Preference(each["name"], each["description"], ("a/b",)) for each in config["routing_preferences"]]
    rows: dict[str, Row] = {}
    for name in LISTS:
        cases = [_case(text, wanted) for wanted, texts in read_sections(name).items() for text in texts]
        rows[name] = _report(decide_all(score, cases, shipped))
    for name in ("six_preferences", "instructions"):
        sections = read_sections(name)
        preferences = [_read_preference(heading) for heading in sections if heading != NO_MATCH]
        cases = [_case(text, heading.partition(":")[0]) for heading, texts in sections.items() for text in texts]
        rows[name] = _report(decide_all(score, cases, preferences))
    rows["kinds"] = _report(measure_kinds(score, read_sections("kinds")))
    for name in ("subjects", "other_subjects", "more_subjects"):
        rows[name] = _report(measure_subjects(score, read_sections(name)))
    return rows


def measure_kinds(score: Score, sections: dict[str, list[str]]) -> Decisions:
    """Measure requests by kind of task, some of which are preferences; what is kin to these is left out."""
    found = []
    for seed in range(DRAWS):
        dice = random.Random(seed)  # noqa: S311 - no secret
        order = dice.sample(list(sections), len(sections))
        for group in (order[:KINDS_BESIDE], order[KINDS_BESIDE : 2 * KINDS_BESIDE]):
            wordings = {heading.split(" | ")[0]: dice.choice(heading.split(" | ")[1:]) for heading in group}
            preferences = [_read_preference(wording) for wording in wordings.values()]
            cases = []
            for heading, texts in sections.items():
                kind = heading.split(" | ")[0]
                if kind in wordings:
                    cases += [_case(text, wordings[kind].partition(":")[0]) for text in texts]
                elif not any((kind, other) in KINSHIP for other in wordings):
                    cases += [_case(text, NO_MATCH) for text in texts]
            found.append(decide_all(score, cases, preferences))
    return Decisions(np.concatenate([each.scores for each in found]), np.concatenate([each.fits for each in found]))


def measure_subjects(score: Score, sections: dict[str, list[str]]) -> Decisions:
    """Measure requests about subjects, some of which are preferences."""
    found = []
    for seed in range(DRAWS):
        dice = random.Random(seed)  # noqa: S311 - no secret
        order = dice.sample(list(sections), len(sections))
        for group in (order[:SUBJECTS_BESIDE], order[SUBJECTS_BESIDE:]):
            preferences = [_read_preference(heading) for heading in group]
            cases = [_case(text, heading.partition(":")[0]) for heading in group for text in sections[heading]]
            cases += [_case(dice.choice(sections[heading]), NO_MATCH) for heading in sections if heading not in group]
            found.append(decide_all(score, cases, preferences))
    return Decisions(np.concatenate([each.scores for each in found]), np.concatenate([each.fits for each in found]))


def read_sections(name: str) -> dict[str, list[str]]:
    """Read a list's lines under their headings."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (OWN / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and not line.endswith("."):
            lines = sections.setdefault(line.removeprefix("# "), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return sections


def read_dialogues() -> tuple[list[list[Turn]], list[Preference]]:
    """Read own dialogues, and their services."""
    sections = (OWN / "dialogues.txt").read_text(encoding="utf-8").split("\n# ")
    services: list[Preference] = []
    dialogues = []
    for heading, *lines in (section.splitlines() for section in sections[1:]):
        if heading == "services":
            services = [_read_preference(line) for line in lines]
            continue
        turns: list[Turn] = []
        said: list[Utterance] = []
        for line in lines:
            who, _, text = line.partition(" ") if line.startswith("= ") else line.partition(" > ")
            said.append(Utterance("assistant" if who == "=" else "user", text))
            if who != "=":
                turns.append(Turn(tuple(said), who))
        dialogues.append(turns)
    return dialogues, services


def _case(text: str, wanted: str) -> Case:
    return Case((Utterance("user", text),), frozenset() if wanted == NO_MATCH else frozenset({wanted}), "own", True)


def _read_preference(heading: str) -> Preference:
    name, _, description = heading.partition(": ")
    return Preference(name, description, ("a/b",))


def _report(decisions: Decisions) -> Row:
    """Report, with how many cases are decided as expected, none included."""
    right = np.where(decisions.expected, decisions.decided & decisions.ranked_right, ~decisions.decided)
    return {"as expected": f"{int(right.sum())} of {len(right)}"} | decisions.report()


if __name__ == "__main__":
    main()
