"""Rivals of the embedded strategy: routers without a model, and its own parts."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.descriptions import read_description
from plano_agents.routing.embedded.engine import Engine, build_encoder
from plano_agents.routing.embedded.lexicon import Lexicon, load_lexicon
from plano_agents.routing.embedded.scorer import Scorer
from plano_agents.routing.embedded.weights import FOLDER, load_arrays
from plano_agents.routing.embedded.wordpiece import WordPiece
from plano_agents.routing.strategy import Question
from plano_agents.routing.text import Utterance
from training.routing.corpus import build_corpus
from training.routing.kinds import SUBJECT

Score = Callable[[Sequence[Utterance], Sequence[Preference]], Sequence[float]]
"""Scores preferences by a conversation; the higher the better."""

DECAY = 0.5
"""What a message counts, by the one after it, where nothing better weighs them."""

_WORD = re.compile(r"\w+")


def _decayed(score: Callable[[str, Sequence[Preference]], list[float]]) -> Score:
    def score_all(conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> list[float]:
        total = [0.0] * len(preferences)
        for age, said in enumerate(reversed(conversation)):
            for index, value in enumerate(score(said.text, preferences)):
                total[index] += DECAY**age * value
        return total

    return score_all


def build_tf_idf() -> Score:
    """Cosine of word counts, rare words counting more, of text and description."""

    def score(text: str, preferences: Sequence[Preference]) -> list[float]:
        described = [
            Counter(_WORD.findall(read_description(each.name, each.description).line.lower())) for each in preferences
        ]
        spread = Counter(word for words in described for word in words)
        weigh = {word: math.log(1 + len(preferences) / count) for word, count in spread.items()}
        said = Counter(_WORD.findall(text.lower()))

        def norm(words: Counter[str]) -> float:
            return math.sqrt(sum((count * weigh.get(word, 1.0)) ** 2 for word, count in words.items())) or 1.0

        return [
            sum(said[word] * count * weigh[word] ** 2 for word, count in words.items()) / norm(said) / norm(words)
            for words in described
        ]

    return _decayed(score)


def build_word_head() -> Score:
    """A trained head without a model: naive Bayes on words, from text to kinds and from description to kinds."""
    corpus = build_corpus()
    labelled = [(text, kind if kind in corpus.kinds else SUBJECT) for text, kind in corpus.prompts]
    of_text = lru_cache(4_096)(_Bayes(labelled).tell)
    of_description = lru_cache(64)(_Bayes([(line, kind) for line, kinds in corpus.wordings for kind in kinds]).tell)

    def score(text: str, preferences: Sequence[Preference]) -> list[float]:
        looks_like = of_text(text)
        scores = []
        for preference in preferences:
            meant = of_description(read_description(preference.name, preference.description).line)
            scores.append(sum(looks_like.get(kind, 0.0) * share for kind, share in meant.items()))
        return scores

    return _decayed(score)


class _Bayes:
    """Multinomial naive Bayes with add-one smoothing, kinds equally likely."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        self._counts: dict[str, Counter[str]] = {}
        for text, kind in texts:
            self._counts.setdefault(kind, Counter()).update(self._read(text))
        self._vocabulary = len({word for counts in self._counts.values() for word in counts})
        self._totals = {kind: counts.total() for kind, counts in self._counts.items()}

    def tell(self, text: str) -> dict[str, float]:
        words = self._read(text)
        logs = {
            kind: sum(math.log((counts[word] + 1) / (self._totals[kind] + self._vocabulary)) for word in words)
            for kind, counts in self._counts.items()
        }
        most = max(logs.values())
        shares = {kind: math.exp(value - most) for kind, value in logs.items()}
        return {kind: share / sum(shares.values()) for kind, share in shares.items()}

    @staticmethod
    def _read(text: str) -> list[str]:
        return _WORD.findall(load_lexicon().gloss(text).lower())[:64]


def build_embedded(
    *, encoder: Path = FOLDER / "encoder.npz", glosses: bool = True, tasks: bool = True
) -> tuple[Engine, Score]:
    """The embedded strategy, or a part of it.

    Args:
        encoder: The encoder's weights; those that ship unless others are given.
        glosses: Whether English is put before what is not.
        tasks: Whether the heads count.
    """
    arrays = load_arrays(encoder)
    pieces = arrays["vocabulary"].tobytes().decode().split("\n")
    heads = load_arrays(FOLDER / "heads.npz")
    engine = Engine(
        load_lexicon() if glosses else Lexicon(()),
        WordPiece({piece: number for number, piece in enumerate(pieces)}),
        build_encoder(arrays),
        Scorer(heads, tasks=tasks),
    )

    def score(conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> list[float]:
        return engine.score([Question(conversation, preferences)])[0]

    return engine, score
