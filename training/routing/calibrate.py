"""Finds the scores at which a preference is as likely as none: where as many matches are lost as others let through.

Prompts and preferences are drawn from the training texts, with other fillings than training saw:

    python -m training.routing.calibrate
"""

import random
from collections.abc import Sequence

import numpy as np

from plano_agents.routing.embedded.engine import load_engine
from plano_agents.routing.embedded.scorer import list_texts
from training.routing.corpus import build_corpus, parse_wording
from training.routing.kinds import SUBJECT

ROUNDS, PROMPTS = 60, 8
SIZES = (3, 5, 8)


def main() -> None:
    """Print the score for sets about kinds of task, and for sets about subjects."""
    corpus = build_corpus(seed=1)
    wordings: dict[str, list[str]] = {heading: [heading] for heading in corpus.subjects}
    for line, kinds in corpus.wordings:
        if len(kinds) == 1:
            wordings.setdefault(kinds[0], []).append(line)
    prompts: dict[str, list[str]] = {}
    for text, label in corpus.prompts:
        prompts.setdefault(label, []).append(text)
    dice = random.Random(0)  # noqa: S311 - no secret
    for name, labels in (
        ("tasks", [kind for kind in corpus.kinds if kind != SUBJECT]),
        ("subjects", list(corpus.subjects)),
    ):
        inside, outside = [], []
        for _ in range(ROUNDS):
            chosen = dice.sample(labels, dice.choice(SIZES))
            others = [label for label in prompts if label not in chosen]
            drawn = [[dice.choice(prompts[dice.choice(pool)]) for _ in range(PROMPTS)] for pool in (chosen, others)]
            best = _score(drawn[0] + drawn[1], [dice.choice(wordings[label]) for label in chosen])
            inside += best[:PROMPTS]
            outside += best[PROMPTS:]
        print(f"{name}: {_find_balance(np.array(inside), np.array(outside)):.2f}")


def _score(texts: Sequence[str], lines: Sequence[str]) -> list[float]:
    """Score each text for the preference that it fits best."""
    engine = load_engine()
    preferences = [parse_wording(line) for line in lines]
    vectors = engine.embed([*texts, *(text for each in preferences for text in list_texts(each))])
    targets = [engine.scorer.build_target(each, vectors) for each in preferences]
    scores, _ = engine.scorer.score(np.stack([vectors[text] for text in texts]), targets)
    return [float(score) for score in scores.max(axis=1)]


def _find_balance(inside: np.ndarray, outside: np.ndarray) -> float:
    def gap(score: float) -> float:
        return abs((inside <= score).mean() - (outside > score).mean())

    return float(min(np.arange(0, 1.5, 0.01), key=gap))


if __name__ == "__main__":
    main()
