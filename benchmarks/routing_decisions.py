"""Measures of decisions: what a router answers, its best preference where that passes the threshold, or none."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.routing_rivals import Score
from benchmarks.routing_sets import Case, Turn
from plano_agents.config.model import DEFAULT_THRESHOLD, Preference
from plano_agents.routing.text import Utterance

SURE, SURER = 0.9, 0.99
"""Scores above which a decision is to be right, more or less always."""

BINS = 10
"""How many bins of scores calibration is measured in."""

Row = dict[str, str]


@dataclass(frozen=True)
class Decisions:
    """A strategy's decisions on cases."""

    scores: np.ndarray
    """Cases by preferences."""
    fits: np.ndarray
    """Which preference is right: cases by preferences."""

    @property
    def expected(self) -> np.ndarray:
        """True if a case has a right preference at all."""
        return np.asarray(self.fits.any(1))

    @property
    def best(self) -> np.ndarray:
        """The score of the best preference."""
        return np.asarray(self.scores.max(1))

    @property
    def decided(self) -> np.ndarray:
        """True if a case was given a preference."""
        return self.best > DEFAULT_THRESHOLD

    @property
    def ranked_right(self) -> np.ndarray:
        """True if the best preference is right, whatever its score."""
        return np.asarray(self.fits[np.arange(len(self.fits)), self.scores.argmax(1)])

    def report(self, some: np.ndarray | None = None) -> Row:
        """Report on these cases, or some of them."""
        if some is not None:
            return replace(self, scores=self.scores[some], fits=self.fits[some]).report()
        expected, decided, right, best = self.expected, self.decided, self.ranked_right, self.best
        return {
            "cases": str(len(best)),
            "decided": _percent((right & decided)[expected]),
            "ranked": _percent(right[expected]),
            "turned away": _percent(~decided[~expected]),
            "AUROC": measure_auroc(best[expected], best[~expected]),
            "ECE": f"{100 * _measure_error(best[decided], right[decided]):.1f}",
            "wrong above .9": _percent(~right[best > SURE]),
            "above .99": _percent(~right[best > SURER]),
        }


def decide_all(
    score: Score,
    cases: Sequence[Case],
    preferences: Sequence[Preference],
    worded: Sequence[Preference] | None = None,
) -> Decisions:
    """Score every case, by other wordings of the preferences where these are given."""
    scores = np.array([score(case.conversation, worded or preferences) for case in cases])
    return Decisions(scores, np.array([[each.name in case.accepted for each in preferences] for case in cases]))


def measure_dialogues(
    score: Score, dialogues: Sequence[Sequence[Turn]], preferences: Sequence[Preference]
) -> dict[str, list[str]]:
    """Measure turns, spans of one preference, and dialogues that are all right, as decided and as ranked."""
    found: dict[str, list[str]] = {}
    scored = [[np.array(score(turn.conversation[-16:], preferences)) for turn in dialogue] for dialogue in dialogues]
    readings: dict[str, Callable[[np.ndarray], bool]] = {
        "decided": lambda scores: bool(scores.max() > DEFAULT_THRESHOLD),
        "ranked": lambda _: True,
    }
    for name, counts in readings.items():
        turns, spans, whole = [], [], []
        for dialogue, rows in zip(dialogues, scored, strict=True):
            own: list[list[bool]] = []
            before = None
            for turn, scores in zip(dialogue, rows, strict=True):
                right = preferences[int(np.argmax(scores))].name == turn.wanted and counts(scores)
                if turn.wanted != before:
                    own.append([])
                own[-1].append(right)
                before = turn.wanted
            turns += [right for span in own for right in span]
            spans += [all(span) for span in own]
            whole.append(all(map(all, own)))
        found[name] = [_percent(np.array(shares)) for shares in (turns, spans, whole)]
    return found


def read_own_prompts(lines: Sequence[str]) -> dict[str, list[Case]]:
    """Read own prompts, ``# language preference`` above them, by language."""
    found: dict[str, list[Case]] = {}
    language = wanted = ""
    for line in lines:
        if line.startswith("# "):
            _, language, wanted = line.split()
        elif line:
            case = Case((Utterance("user", line),), frozenset({wanted}), "own", english=False)
            found.setdefault(language, []).append(case)
    return found


def measure_auroc(positive: np.ndarray, negative: np.ndarray) -> str:
    """The chance that a case with a preference scores above one without, ties half."""
    if not len(positive) or not len(negative):
        return "-"
    above = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return f"{above:.3f}"


def print_table(rows: Mapping[str, Row]) -> None:
    """Print rows as Markdown."""
    names = list(next(iter(rows.values())))
    print("| |" + "|".join(names) + "|")
    print("|---" * (len(names) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(row[column] for column in names) + " |")
    print(flush=True)


def _measure_error(scores: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error (Naeini et al. 2015): how far scores are from how often they are right."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(scores[place == each].mean() - right[place == each].mean()) * (place == each).mean()
            for each in {*place}
        )
    )


def _percent(right: np.ndarray) -> str:
    return f"{100 * np.mean(right):.1f}" if len(right) else "-"
