"""Measures routing strategies on public sets and own prompts, and prints the tables of docs/routing.md.

    uv run --group dev python benchmarks/routing.py [--data FOLDER] [--only embedded] [--untuned encoder.npz]

A decision is what a router answers: its best preference where the score passes the threshold, or none. No strategy was
trained on these sets. Every strategy computes on one core, and times are that core's, whatever else is busy.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from benchmarks.routing_decisions import (
    Row,
    decide_all,
    measure_auroc,
    measure_dialogues,
    print_table,
    read_own_prompts,
)
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
from plano_agents.config.model import Preference
from plano_agents.routing.text import Utterance

HERE = Path(__file__).parent
EXAMPLES = (5, 10)
SEEDS = (0, 1, 2)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="the folder of the sets")
    parser.add_argument("--only", help="one strategy alone; 'decisions' leaves the table of strategies out")
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
    if options.only not in {None, "decisions", *builders}:
        parser.error(f"--only {options.only!r} is not a strategy. Choose one of: decisions, {', '.join(builders)}")
    if options.only in {None, "decisions", "embedded"}:
        score = build_embedded()[1]
        for table in (measure_decisions, measure_languages, measure_wordings, measure_sources):
            print_table(table(score, options.data))
    chosen = {name: build for name, build in builders.items() if options.only in {None, name}}
    rows: dict[str, Row] = {}
    for name, build in chosen.items():
        print(f"ranking by {name} …", file=sys.stderr, flush=True)
        rows[name] = rank(build(), options.data)
    if rows:
        print_table(rows)


def measure_decisions(score: Score, folder: Path) -> dict[str, Row]:
    """Measure what is decided on each set."""
    ten = read_preferences(folder, "PREF10")
    cases = read_pref10(folder)
    english = np.array([case.english for case in cases])
    decisions = decide_all(score, cases, ten)
    plano = read_plano6(folder)
    rows = {
        "ten kinds of task": decisions.report(),
        "… English": decisions.report(english),
        "… other languages": decisions.report(~english),
        "Plano's six": decide_all(score, plano, read_preferences(folder, "PLANO6")).report(),
    }
    for count in (0, *EXAMPLES):
        cases, given = _read_subjects(folder, count, SEEDS[0])
        rows[f"ten subjects, {count} examples" if count else "ten subjects"] = decide_all(score, cases, given).report()
    for user_only in (False, True):
        dialogues = read_sgd19(folder, user_only=user_only)
        shares = measure_dialogues(score, dialogues, read_preferences(folder, "SGD19"))
        name = "dialogues, users alone" if user_only else "dialogues: turns / spans / whole"
        rows[name] = dict.fromkeys(rows["ten subjects"], "-") | {key: " / ".join(each) for key, each in shares.items()}
    return rows


def measure_languages(score: Score, folder: Path) -> dict[str, Row]:
    """Measure own prompts in other languages, by the ten kinds of task in terse words."""
    given = json.loads((HERE / "wordings.json").read_text())["terse"]
    lines = (HERE / "own_prompts" / "languages.txt").read_text(encoding="utf-8").splitlines()
    names = {"code_review_debugging": "debugging", "math_reasoning": "math"}
    ten = [replace(each, name=names.get(each.name, each.name)) for each in read_preferences(folder, "PREF10")]
    worded = [
        Preference(given[each.name][0], given[each.name][1], each.models) for each in read_preferences(folder, "PREF10")
    ]
    rows = {}
    for language, cases in read_own_prompts(lines).items():
        rows[language] = decide_all(score, cases, ten).report()
        rows[f"{language}, terse"] = decide_all(score, cases, ten, worded).report()
    return rows


def measure_wordings(score: Score, folder: Path) -> dict[str, Row]:
    """Measure other wordings of the ten kinds of task, and more preferences beside them."""
    cases, ten = read_pref10(folder), read_preferences(folder, "PREF10")
    rows = {}
    for name, given in json.loads((HERE / "wordings.json").read_text()).items():
        worded = [Preference(given[each.name][0], given[each.name][1], each.models) for each in ten]
        rows[name] = decide_all(score, cases, ten, worded).report()
    for name, given in json.loads((HERE / "more_preferences.json").read_text()).items():
        more = [Preference(other, description, ("any/model",)) for other, description in given.items()]
        rows[name] = decide_all(score, cases, [*ten, *more]).report()
    return rows


def measure_sources(score: Score, folder: Path) -> dict[str, Row]:
    """Measure each source of the ten kinds of task by itself."""
    cases = read_pref10(folder)
    decisions = decide_all(score, cases, read_preferences(folder, "PREF10"))
    sources = np.array([case.source for case in cases])
    return {source: decisions.report(sources == source) for source in sorted({*sources.tolist()})}


def rank(score: Score, folder: Path) -> Row:
    """Measure what a strategy would rank first, and how long it takes."""
    row: Row = {}
    ten, cases = read_preferences(folder, "PREF10"), read_pref10(folder)
    score((Utterance("user", "hello"),), ten)  # the first reads the preferences
    seen, milliseconds = [], []
    for case in cases:
        began = time.process_time()
        seen.append(score(case.conversation, ten))
        milliseconds.append((time.process_time() - began) * 1000)
    some = np.array([bool(case.accepted) for case in cases])
    best = np.array(seen).max(1)
    right = [ten[int(np.argmax(scores))].name in case.accepted for scores, case in zip(seen, cases, strict=True)]
    row["ten kinds"] = _percent(np.array(right)[some])
    row["AUROC"] = measure_auroc(best[some], best[~some])
    row["Plano's six"] = decide_all(score, read_plano6(folder), read_preferences(folder, "PLANO6")).report()["ranked"]
    for count in (0, *EXAMPLES):
        seeds = SEEDS if count else SEEDS[:1]
        found = [decide_all(score, *_read_subjects(folder, count, seed)).report() for seed in seeds]
        means = [np.mean([float(each[name]) for each in found]) for name in ("ranked", "AUROC")]
        row[f"ten subjects, {count} examples"] = f"{means[0]:.1f} / {means[1]:.3f}"
    dialogues = measure_dialogues(score, read_sgd19(folder), read_preferences(folder, "SGD19"))
    row["dialogues"] = " / ".join(dialogues["ranked"])
    row["p50, p95 ms"] = ", ".join(f"{each:.1f}" for each in np.percentile(milliseconds, [50, 95]))
    return row


def _read_subjects(folder: Path, examples: int, seed: int) -> tuple[list[Case], Sequence[Preference]]:
    cases, taken = read_clinc10(folder, examples=examples, seed=seed)
    preferences = read_preferences(folder, "CLINC10")
    if not examples:
        return cases, preferences
    return cases, [replace(each, examples=tuple(taken[each.name])) for each in preferences]


def _percent(right: np.ndarray) -> str:
    return f"{100 * np.mean(right):.1f}"


if __name__ == "__main__":
    main()
