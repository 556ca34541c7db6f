"""The two linear heads, fitted to the vectors of the encoder that ships."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from plano_agents.routing.embedded.descriptions import read_description
from training.routing.corpus import Corpus, misspell, parse_wording
from training.routing.kinds import SUBJECT

TEXT_DECAY, PREFERENCE_DECAY = 2e-5, 1e-5
"""What a squared weight costs, by a mean loss of one."""

JOINED = 400
"""How many pairs of wordings are joined into preferences for the kinds of both."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""Gives the vectors of texts, a row each."""


def fit_heads(corpus: Corpus, embed: Embed) -> dict[str, np.ndarray]:
    """Fit both heads.

    Args:
        corpus: The training texts.
        embed: The encoder.

    Returns:
        Both heads by name, as ``heads.npz`` holds them.
    """
    kinds = corpus.kinds
    wanted = torch.tensor([kinds.index(kind if kind in kinds else SUBJECT) for _, kind in corpus.prompts])
    even = (1 / torch.bincount(wanted, minlength=len(kinds)))[wanted]
    text_weights, text_bias = _fit(
        embed([text for text, _ in corpus.prompts]), wanted, len(kinds), even / even.sum(), TEXT_DECAY
    )
    texts, marks = _describe_kinds(corpus)
    goal = torch.tensor(marks)
    share = goal.mean(0)
    even = torch.where(goal > 0, 0.5 / share, 0.5 / (1 - share)) / goal.numel()
    weights, bias = _fit(embed(texts), goal, len(kinds), even, PREFERENCE_DECAY)
    return {
        "tasks": np.array(kinds[:-1]),
        "text.weights": text_weights,
        "text.bias": text_bias,
        "preference.weights": weights,
        "preference.bias": bias,
    }


def measure_text_head(texts: Sequence[tuple[str, str]], heads: dict[str, np.ndarray], embed: Embed) -> float:
    """Tell how often the text head names the right kind."""
    said = (embed([text for text, _ in texts]) @ heads["text.weights"] + heads["text.bias"])[:, :-1].argmax(1)
    return float(np.mean([heads["tasks"][n] == kind for n, (_, kind) in zip(said, texts, strict=True)]))


def _describe_kinds(corpus: Corpus) -> tuple[list[str], list[list[float]]]:
    """Give descriptions, each with a mark for every kind that it is for."""
    lines = [*corpus.wordings]
    for heading, others in corpus.subjects.items():
        lines += [(line, (SUBJECT,)) for line in (heading, *others)]
    dice = random.Random(0)  # noqa: S311 - no secret
    described = []
    for wording, given in lines:
        parsed = parse_wording(wording)
        line = read_description(parsed.name, parsed.description).line
        bare = read_description("", parsed.description).line
        described += [(text, given) for text in (line, bare, misspell(line, dice))]
    joined = []
    for _ in range(JOINED):
        (one, of_one), (other, of_other) = dice.choice(described), dice.choice(described)
        joined.append((f"{one}, {other}", of_one + of_other))
    described += joined
    return [text for text, _ in described], [[float(kind in given) for kind in corpus.kinds] for _, given in described]


def _fit(
    vectors: np.ndarray, wanted: Tensor, kinds: int, weights: Tensor, decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear head by L-BFGS: softmax where ``wanted`` are numbers, logistic where they are marks."""
    states = torch.from_numpy(vectors)
    matrix = torch.zeros(vectors.shape[1], kinds, requires_grad=True)
    bias = torch.zeros(kinds, requires_grad=True)
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=300, line_search_fn="strong_wolfe")

    def close() -> Tensor:
        optimizer.zero_grad()
        logits = states @ matrix + bias
        losses = (
            functional.cross_entropy(logits, wanted, reduction="none")
            if wanted.dim() == 1
            else functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        )
        loss = (losses * weights).sum() + decay * matrix.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(close)  # type: ignore[no-untyped-call]
    return matrix.detach().numpy(), bias.detach().numpy()
