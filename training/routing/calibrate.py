"""Fits the weights of the choice between preferences and none, so that scores are probabilities.

Prompts are those of ``data/calibration_prompts.txt``, which no training saw; preferences are drawn from
``data/calibration_wordings.txt``, and for large sets from the training's wordings too:

    python -m training.routing.calibrate

It fits on one half and prints what the other gives, then fits on both and writes the weights into ``heads.npz``.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from plano_agents.routing.embedded.descriptions import list_texts, read_description
from plano_agents.routing.embedded.passages import list_ends
from plano_agents.routing.embedded.scorer import AGAINST, EVERYDAY, FOR, Scorer, Target
from plano_agents.routing.embedded.weights import load_arrays
from training.routing.corpus import build_corpus, parse_wording, read_sections
from training.routing.heads import Embed
from training.routing.kinds import KINSHIP, SUBJECT
from training.routing.train import SHIPPED, load_embed

EPISODES, PROMPTS = 1_500, 8
"""How many sets of preferences are drawn, and how many prompts for each."""
SIZES = (2, 2, 3, 4, 6, 8, 10, 20, 50)
NONE_SHARE, NONE_SHARE_OF_KINDS = 0.22, 0.7
"""Which share of prompts fits no preference of its set: where the set is about subjects, and where it is about kinds of
task and covers hardly any; the more of them it covers, the fewer prompts fit none."""
COHORT = 8
"""How many training prompts of each kind stand for texts of any kind."""
ABOUT_TASKS, ABOUT_SUBJECTS = 0.55, 0.25
"""Which share of sets is about kinds of task alone, and which about subjects alone; the others are about both."""
LARGE = 20
"""Larger sets have preferences of the training's wordings too."""
SURE, SURER = 0.9, 0.99
"""Scores of which it is told how often they are wrong."""
KIN = 0.45
"""A prompt is left out where a preference is this much kin to its kind, for then either answer is right."""
DECAY = 3e-4
"""What a squared weight's distance from `BEGIN` costs, by a mean loss of one."""
BEGIN = (20.0, -3.0, -10.0, 0, 8.0, 1.0, 2.0, 0, 1.0, 2.0, 1.0, 0, 10.0, 0, 1.0)
"""Where the fit begins."""
HELD = 6
"""The weight that stays where it begins, that of tasks among subjects: too few prompts are about subjects to fit it."""
FARTHEST = 60
"""The largest set of preferences, with room."""


@dataclass
class Choices:
    """Measured prompts."""

    signals: Tensor
    """Prompts by alternatives by all signals; the last alternative is none."""
    there: Tensor
    """Which alternatives there are."""
    right: Tensor
    """Which of them are right."""


class Drawer:
    """Draws preferences and prompts."""

    def __init__(self, embed: Embed, scorer: Scorer) -> None:
        self._embed, self._scorer = embed, scorer
        corpus = build_corpus()
        held_out = read_sections("calibration_wordings.txt")
        self._lines = [
            (line, frozenset({line} if kinds == "domain" else kinds.split()))
            for kinds, lines in held_out.items()
            for line in lines
        ]
        prompts = read_sections("calibration_prompts.txt")
        self._lines += [
            (label.removeprefix("subject: "), frozenset({label})) for label in prompts if label.startswith(SUBJECT)
        ]
        self._more = [(line, frozenset({line} if kinds == (SUBJECT,) else kinds)) for line, kinds in corpus.wordings]
        self.prompts = [(text, label) for label, lines in prompts.items() for text in lines]
        self._vectors = self._embed_requests([text for text, _ in self.prompts])
        wordings = [parse_wording(line) for line, _ in (*self._lines, *self._more)]
        parts = sorted({text for each in wordings for text in list_texts(each)})
        vectors = dict(zip(parts, embed(parts), strict=True))
        self._targets = {
            line: scorer.build_target(parse_wording(line), vectors) for line, _ in (*self._lines, *self._more)
        }

    def draw(self, prompts: Sequence[tuple[str, str]], dice: random.Random, episodes: int) -> Choices:
        """Draw sets of preferences, and measure prompts by them."""
        rows, rights = [], []
        for _ in range(episodes):
            size = dice.choice(SIZES)
            about = dice.random()
            pool = self._lines if size <= LARGE else [*self._lines, *self._more]
            if about < ABOUT_TASKS:
                pool = [each for each in pool if not _is_subject(each[1])]
            elif about < ABOUT_TASKS + ABOUT_SUBJECTS:
                pool = [each for each in pool if _is_subject(each[1])]
            chosen = dice.sample(pool, min(size, len(pool)))
            targets = [self._targets[line] for line, _ in chosen]
            matching, others = _part(prompts, [kinds for _, kinds in chosen])
            none = self._share_none(frozenset().union(*(kinds for _, kinds in chosen)))
            asked = []
            for matches in (dice.random() >= none for _ in range(PROMPTS)):
                if not (matching if matches else others):
                    continue
                text, label = dice.choice(matching if matches else others)
                asked.append(self._vectors[text])
                rights.append([*_find_right(label, [kinds for _, kinds in chosen]), not matches])
            rows += _measure(self._scorer, asked, targets)
        return _pad(rows, rights)

    def _embed_requests(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Embed messages as the router does, requests beside passages and all."""
        parts = list(dict.fromkeys(part for text in texts for part in (text, *list_ends(text))))
        vectors = dict(zip(parts, self._embed(parts), strict=True))
        return {
            text: self._scorer.read_request(vectors[text], _stack([vectors[end] for end in list_ends(text)]))
            for text in texts
        }

    def _share_none(self, known: frozenset[str]) -> float:
        """Tell which share of prompts is to fit none of a set."""
        if _is_subject(known):
            return NONE_SHARE
        return NONE_SHARE_OF_KINDS * (1 - len(known.intersection(self._scorer.kinds)) / len(self._scorer.kinds))


def fit(choices: Choices) -> Tensor:
    """Fit the weights: the log-likelihood of the right alternatives, by L-BFGS."""
    begin = torch.tensor(BEGIN, dtype=torch.float64)
    weights = begin.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        said = _tell(choices, weights)
        loss = -(said * choices.right).sum(1).clamp(min=1e-6).log().mean() + DECAY * (weights - begin).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        if weights.grad is not None:
            weights.grad[HELD] = 0
        return loss

    optimizer.step(step)  # type: ignore[no-untyped-call]
    return weights.detach()


def main() -> None:
    """Fit, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="where encoder.npz and heads.npz are")
    folder = parser.parse_args().folder
    embed = load_embed(folder / "encoder.npz")
    heads = {name: np.array(array) for name, array in load_arrays(folder / "heads.npz").items()}
    heads |= _draw_background(embed) | {"kinship": _build_kinship([*heads["tasks"], SUBJECT])}
    heads |= {"for": np.zeros(FOR, np.float32), "against": np.zeros(AGAINST, np.float32)}
    drawer = Drawer(embed, Scorer(heads))
    dice = random.Random(0)  # noqa: S311 - no secret
    shuffled = dice.sample(drawer.prompts, len(drawer.prompts))
    halves = shuffled[::2], shuffled[1::2]
    for one, other in (halves, halves[::-1]):
        _print(drawer.draw(other, dice, EPISODES // 2), fit(drawer.draw(one, dice, EPISODES // 2)))
    weights = fit(drawer.draw(drawer.prompts, dice, EPISODES))
    print("weights", [round(float(weight), 2) for weight in weights])
    heads["for"] = weights[:FOR].numpy().astype(np.float32)
    heads["against"] = weights[FOR:].numpy().astype(np.float32)
    np.savez(folder / "heads.npz", **heads)  # type: ignore[arg-type]  # names of arrays, not of options


def _draw_background(embed: Embed) -> dict[str, np.ndarray]:
    """Draw texts of any kind, and descriptions of anything."""
    corpus = build_corpus()
    dice = random.Random(0)  # noqa: S311 - no secret
    by_label: dict[str, list[str]] = {}
    for text, label in corpus.prompts:
        by_label.setdefault(label if label in corpus.kinds else SUBJECT, []).append(text)
    texts = [text for pool in by_label.values() for text in dice.sample(pool, COHORT)]
    wordings = [parse_wording(line) for line, _ in corpus.wordings[::2]]
    lines = [read_description(each.name, each.description).line for each in wordings]
    return {
        "texts": embed(texts).astype(np.float16),
        "descriptions": embed(list(dict.fromkeys(lines))).astype(np.float16),
    }


def _build_kinship(kinds: Sequence[str]) -> np.ndarray:
    """Tell how well a preference for each kind of task, a column, serves each kind of text, a row.

    Kinship is squared, for a broad preference is a little kin to much, and the sum would make it seem to serve that.
    """
    kinship = np.eye(len(kinds), dtype=np.float16)
    for (one, other), value in KINSHIP.items():
        kinship[kinds.index(one), kinds.index(other)] = value**2
    return kinship


def _measure(scorer: Scorer, vectors: Sequence[np.ndarray], targets: Sequence[Target]) -> list[np.ndarray]:
    """Measure texts by the same preferences: for each text, alternatives by signals."""
    if not vectors:
        return []
    signals, against = scorer.measure(np.stack(vectors), targets)
    rows = np.zeros((len(vectors), len(targets) + 1, FOR + AGAINST))
    rows[:, :-1, :FOR] = signals
    rows[:, -1, FOR:] = against
    return [*rows]


def _part(
    prompts: Sequence[tuple[str, str]], sets: Sequence[frozenset[str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Part prompts into those that a preference is for, and those that none is for or kin to."""
    known = frozenset().union(*sets)
    matching = [each for each in prompts if any(_find_right(each[1], sets))]
    others = [
        (text, label)
        for text, label in prompts
        if not any(_find_right(label, sets)) and all(KINSHIP.get((label, kind), 0.0) < KIN for kind in known)
    ]
    return matching, others


def _find_right(label: str, sets: Sequence[frozenset[str]]) -> list[bool]:
    """Tell which preferences are right for a prompt: its own, or, for a subject's, those for everyday questions."""
    own = [label in kinds for kinds in sets]
    if any(own) or not label.startswith(SUBJECT):
        return own
    return [kinds.issuperset(EVERYDAY) for kinds in sets]


def _stack(vectors: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(vectors) if vectors else np.empty((0, 0), np.float32)


def _is_subject(kinds: frozenset[str]) -> bool:
    return any(":" in kind for kind in kinds)


def _pad(rows: Sequence[np.ndarray], rights: Sequence[Sequence[bool]]) -> Choices:
    signals = torch.zeros(len(rows), FARTHEST, FOR + AGAINST, dtype=torch.float64)
    there = torch.zeros(len(rows), FARTHEST, dtype=torch.bool)
    right = torch.zeros(len(rows), FARTHEST)
    for number, (row, own) in enumerate(zip(rows, rights, strict=True)):
        signals[number, : len(row)] = torch.from_numpy(row)
        there[number, : len(row)] = True
        right[number, : len(row)] = torch.tensor(own, dtype=torch.float32)
    return Choices(signals, there, right)


def _tell(choices: Choices, weights: Tensor) -> Tensor:
    logits = (choices.signals @ weights).masked_fill(~choices.there, -torch.inf)
    return logits.softmax(1)


def _print(choices: Choices, weights: Tensor) -> None:
    said = _tell(choices, weights)
    best = said.argmax(1)
    right = choices.right.gather(1, best[:, None])[:, 0] > 0
    none = choices.there.sum(1) - 1
    expected = choices.right.gather(1, none[:, None])[:, 0] == 0
    sure = said.max(1).values
    print(
        f"decided {right[expected].float().mean():.1%}, turned away {right[~expected].float().mean():.1%}, "
        f"wrong above .9 {1 - right[sure > SURE].float().mean():.1%}, above .99 {1 - right[sure > SURER].float().mean():.1%}, "
        f"mean score {sure.mean():.3f}, right {right.float().mean():.3f}"
    )


if __name__ == "__main__":
    main()
