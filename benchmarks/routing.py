"""Measures routing strategies on public sets, and prints the tables of docs/routing.md.

    uv run --group dev python benchmarks/routing.py [--data FOLDER] [--only embedded] [--untuned encoder.npz]

No strategy was trained on these sets. Every strategy computes on one core, and times are that core's, whatever else is
busy.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.routing_rivals import Score, build_embedded, build_tf_idf, build_word_head
from benchmarks.routing_sets import (
    DEFAULT_FOLDER,
    Case,
    read_clinc10,
    read_plano6,
    read_pref10,
    read_preferences,
    read_sgd19,
)
from plano_agents.config.model import DEFAULT_THRESHOLD, Preference
from plano_agents.routing.text import Utterance

EXAMPLES = (5, 10)
SEEDS = (0, 1, 2)

Row = dict[str, str]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="the folder of the sets")
    parser.add_argument("--only", help="one strategy alone")
    parser.add_argument("--untuned", type=Path, help="MiniLM as it was before training, packed (see training/routing)")
    options = parser.parse_args()
    builders: dict[str, Callable[[], Score]] = {
        "TF-IDF": build_tf_idf,
        "word head, no model": build_word_head,
        "embedded, likeness alone": lambda: build_embedded(tasks=False)[1],
        "embedded, no lexicon": lambda: build_embedded(glosses=False)[1],
        "embedded": lambda: build_embedded()[1],
    }
    if options.untuned is not None:
        builders["MiniLM untuned, likeness alone"] = lambda: build_embedded(encoder=options.untuned, tasks=False)[1]
    chosen = {name: build for name, build in builders.items() if options.only in {None, name}}
    if not chosen:
        parser.error(f"--only {options.only!r} is no strategy. Choose one of: {', '.join(builders)}")
    rows: dict[str, Row] = {}
    for name, build in chosen.items():
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows[name] = measure(build(), options.data)
    _print_table(rows)
    if "embedded" in chosen:
        _, score = build_embedded()
        _print_table(measure_wordings(score, options.data))
        _print_table(measure_sources(score, options.data))
        _print_table(measure_threshold(score, options.data))


def measure(score: Score, folder: Path) -> Row:
    """Measure a strategy on every set."""
    row: Row = {}
    preferences = read_preferences(folder, "PREF10")
    cases = read_pref10(folder)
    seen, milliseconds = _score_all(score, cases, preferences)
    right = _find_right(seen, cases, preferences)
    some = np.array([bool(case.accepted) for case in cases])
    english = np.array([case.english for case in cases])
    row["pref10"] = _percent(right[some])
    row["English"] = _percent(right[some & english])
    row["other"] = _percent(right[some & ~english])
    row["AUROC"] = _auroc(seen.max(1)[some], seen.max(1)[~some])
    row["p50 ms"] = f"{np.percentile(milliseconds, 50):.1f}"
    row["p95 ms"] = f"{np.percentile(milliseconds, 95):.1f}"
    preferences = read_preferences(folder, "PLANO6")
    cases = read_plano6(folder)
    row["plano6"] = _percent(_find_right(_score_all(score, cases, preferences)[0], cases, preferences))
    preferences = read_preferences(folder, "CLINC10")
    for count in (0, *EXAMPLES):
        accuracies, areas = [], []
        for seed in SEEDS if count else SEEDS[:1]:
            cases, taken = read_clinc10(folder, examples=count, seed=seed)
            given = tuple(replace(each, examples=tuple(taken[each.name])) if count else each for each in preferences)
            seen, _ = _score_all(score, cases, given)
            some = np.array([bool(case.accepted) for case in cases])
            accuracies.append(_find_right(seen, cases, given)[some].mean())
            areas.append(float(_auroc(seen.max(1)[some], seen.max(1)[~some])))
        name = f"clinc10 +{count}" if count else "clinc10"
        row[name] = f"{100 * np.mean(accuracies):.1f} / {np.mean(areas):.3f}"
    for user_only in (False, True):
        name = "sgd19, users alone" if user_only else "sgd19"
        row[name] = " / ".join(_measure_dialogues(score, folder, user_only=user_only))
    return row


def measure_wordings(score: Score, folder: Path) -> dict[str, Row]:
    """Measure other wordings of the same preferences."""
    rows: dict[str, Row] = {}
    cases = [case for case in read_pref10(folder) if case.accepted]
    preferences = read_preferences(folder, "PREF10")
    wordings = json.loads(Path(__file__).with_name("wordings.json").read_text())
    for name, given in {"as given": None, **wordings}.items():
        worded = [
            each if given is None else replace(each, name=given[each.name][0], description=given[each.name][1])
            for each in preferences
        ]
        seen, _ = _score_all(score, cases, worded)
        rows[name] = {"pref10": _percent(_find_right(seen, cases, preferences))}
    return rows


def measure_sources(score: Score, folder: Path) -> dict[str, Row]:
    """Measure each source by itself."""
    preferences = read_preferences(folder, "PREF10")
    cases = [case for case in read_pref10(folder) if case.accepted]
    right = _find_right(_score_all(score, cases, preferences)[0], cases, preferences)
    sources = sorted({case.source for case in cases})
    rows = {}
    for source in sources:
        own = np.array([case.source == source for case in cases])
        rows[source] = {"prompts": str(own.sum()), "right": _percent(right[own])}
    return rows


def measure_threshold(score: Score, folder: Path) -> dict[str, Row]:
    """Measure what the threshold lets through."""
    rows = {}
    for name, cases in (("PREF10", read_pref10(folder)), ("CLINC10", read_clinc10(folder)[0])):
        preferences = read_preferences(folder, name)
        best = _score_all(score, cases, preferences)[0].max(1)
        some = np.array([bool(case.accepted) for case in cases])
        rows[name] = {
            "matches let through": _percent(best[some] > DEFAULT_THRESHOLD),
            "others turned away": _percent(best[~some] <= DEFAULT_THRESHOLD),
        }
    return rows


def _measure_dialogues(score: Score, folder: Path, *, user_only: bool) -> list[str]:
    """Shares of turns, of spans of one preference, and of dialogues that are all right."""
    preferences = read_preferences(folder, "SGD19")
    turns, spans, dialogues = [], [], []
    for dialogue in read_sgd19(folder, user_only=user_only):
        own: list[list[bool]] = []
        before = None
        for turn in dialogue:
            scores = score(turn.conversation[-16:], preferences)
            right = preferences[int(np.argmax(scores))].name == turn.wanted
            if turn.wanted != before:
                own.append([])
            own[-1].append(right)
            before = turn.wanted
        turns += [right for span in own for right in span]
        spans += [all(span) for span in own]
        dialogues.append(all(map(all, own)))
    return [_percent(np.array(shares)) for shares in (turns, spans, dialogues)]


def _score_all(
    score: Score, cases: Sequence[Case], preferences: Sequence[Preference]
) -> tuple[np.ndarray, list[float]]:
    """Score every case; the time of the first, which reads the preferences, is left out."""
    score((Utterance("user", "hello"),), preferences)
    seen, milliseconds = [], []
    for case in cases:
        began = time.process_time()
        seen.append(score(case.conversation, preferences))
        milliseconds.append((time.process_time() - began) * 1000)
    return np.array(seen), milliseconds


def _find_right(seen: np.ndarray, cases: Sequence[Case], preferences: Sequence[Preference]) -> np.ndarray:
    return np.array([preferences[best].name in case.accepted for best, case in zip(seen.argmax(1), cases, strict=True)])


def _auroc(positive: np.ndarray, negative: np.ndarray) -> str:
    """The chance that a case with a preference scores above one without, ties half."""
    above = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    return f"{above:.3f}"


def _percent(right: np.ndarray) -> str:
    return f"{100 * np.mean(right):.1f}"


def _print_table(rows: Mapping[str, Row]) -> None:
    names = list(next(iter(rows.values())))
    print("| |" + "|".join(names) + "|")
    print("|---" * (len(names) + 1) + "|")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(row[column] for column in names) + " |")
    print(flush=True)


if __name__ == "__main__":
    main()
