"""Short texts made of the encoder's own vocabulary, so that the teacher is asked about words of any subject."""

import random
from collections.abc import Sequence

import numpy as np

from training.routing.corpus import read_sections
from training.routing.heads import Embed

COUNT = 9_000
SHORTEST = 4
"""How many letters a word has at least."""
NEAR = 13
"""Among how many of the words nearest to a word those that stand beside it are drawn."""
DESCRIBED, LISTED, ALIKE = 0.3, 0.1, 0.7
"""Which share of texts looks like a description, and which is a bare list; how often the others' two words are near."""


def make_texts(vocabulary: Sequence[str], embed: Embed) -> list[str]:
    """Make texts of words and of words that are near them.

    Args:
        vocabulary: The encoder's tokens.
        embed: The encoder.
    """
    dice = random.Random(1)  # noqa: S311 - no secret
    words = [word for word in vocabulary if word.isalpha() and word.isascii() and len(word) >= SHORTEST]
    vectors = embed(words)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    templates = read_sections("templates.txt")["templates"]
    found = set()
    for index in dice.sample(range(len(words)), COUNT):
        near = np.argsort(-(vectors @ vectors[index]))[1 : NEAR + 1]
        word, beside = words[index], [words[each] for each in dice.sample(list(near), 4)]
        form = dice.random()
        if form < DESCRIBED:
            found.add(f"{word}: {beside[0]}, {beside[1]} and {beside[2]}")
        elif form < DESCRIBED + LISTED:
            found.add(f"{beside[0]}, {beside[1]}, {word}")
        else:
            other = beside[0] if dice.random() < ALIKE else dice.choice(words)
            found.add(dice.choice(templates).format(a=word, b=other))
    return sorted(found)
