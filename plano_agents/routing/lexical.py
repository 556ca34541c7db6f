"""Routing by words: a stopgap, honest about it.

It knows no meaning. A preference scores by the words of its name and description that a text holds, rare ones
among the preferences counting more, and by task cues: words that often stand in requests of a kind of task
(`cues`), where the description speaks of that kind. Each message counts half of the one after it. With cues and
word overlap alone, paraphrases without a common word are missed, and languages other than English nearly always.
What it can do: decide in about a millisecond, offline, the same way every time. The work grows with the length of
texts and descriptions, and no faster; both are bounded where they are read. Nothing of a request is remembered.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from plano_agents.config.model import Preference
from plano_agents.routing.cues import CATCH_ALL, STOP_WORDS, TASKS
from plano_agents.routing.strategy import Match

THRESHOLD = 0.1
"""Below this score no preference matches."""

DECAY = 0.5
"""What a message counts, by the one after it."""

CUE_WEIGHT = 1.0
"""What a full match of task cues counts, by a full match of words."""

CATCH_ALL_SCORE = 0.12
"""What a preference for everything scores on any text: just enough to match when nothing else does."""

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = ("ations", "ation", "ings", "ing", "ions", "ion", "ies", "ers", "ed", "er", "es", "s", "e", "y")
_SHORTEST_STEM = 3


def _stem(word: str) -> str:
    """Cut a word's most common endings, crudely, so that ``writing`` meets ``writes``."""
    if len(word) > _SHORTEST_STEM and word.endswith(_ENDINGS):
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                return word[: -len(ending)]
    return word


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


_TASK_SUBJECTS = {task.name: frozenset(_stems(task.subjects)) for task in TASKS}
_TASK_CUES = {task.name: frozenset(_stems(task.cues)) for task in TASKS}
_TASK_SHAPES = {
    task.name: re.compile(task.shape, re.IGNORECASE | re.MULTILINE) for task in TASKS if task.shape
}


def _described_tasks(words: frozenset[str]) -> Mapping[str, float]:
    """Which kinds of task a description's words speak of, the shares adding up to one."""
    return _shares({name: float(len(words & subjects)) for name, subjects in _TASK_SUBJECTS.items()})


def _text_tasks(text: str, words: Counter[str]) -> Mapping[str, float]:
    """Which kinds of task a text looks like, the shares adding up to one."""
    found = {name: float(sum(words[cue] for cue in cues)) for name, cues in _TASK_CUES.items()}
    for name, shape in _TASK_SHAPES.items():
        found[name] += 2.0 * len(shape.findall(text))
    return _shares(found)


def _shares(found: Mapping[str, float]) -> Mapping[str, float]:
    total = sum(found.values())
    return {name: count / total for name, count in found.items() if count} if total else {}


class LexicalStrategy:
    """Matches preferences by common words and task cues."""

    async def match(self, texts: Sequence[str], preferences: Sequence[Preference]) -> Match | None:
        """See `Strategy.match`."""
        if not texts or not preferences:
            return None
        scores = self.score(texts, preferences)
        best = max(range(len(preferences)), key=lambda index: scores[index])
        return Match(preferences[best], scores[best]) if scores[best] >= THRESHOLD else None

    def score(self, texts: Sequence[str], preferences: Sequence[Preference]) -> list[float]:
        """Score every preference.

        Args:
            texts: What was said, oldest first.
            preferences: What to score.

        Returns:
            A score from 0 to 1 for each preference, in their order.
        """
        described = [f"{preference.name} {preference.description}" for preference in preferences]
        words = [frozenset(_stems(text)) for text in described]
        tasks = [_described_tasks(own) for own in words]
        spread = Counter(word for own in words for word in own)
        rarity = {word: math.log(1 + len(preferences) / count) for word, count in spread.items()}
        most = [max(1.0, math.fsum(map(rarity.__getitem__, own))) for own in words]
        scores = [0.0] * len(preferences)
        weight, total = 1.0, 0.0
        for text in reversed(texts):
            counts = Counter(_stems(text))
            said, looks_like = frozenset(counts), _text_tasks(text, counts)
            for index, own in enumerate(words):
                common = math.fsum(map(rarity.__getitem__, own & said)) / most[index]
                cued = sum(share * looks_like.get(name, 0.0) for name, share in tasks[index].items())
                scores[index] += weight * (common + CUE_WEIGHT * cued) / (1 + CUE_WEIGHT)
            total += weight
            weight *= DECAY
        return [
            max(score / total, CATCH_ALL_SCORE if _is_catch_all(text) else 0.0)
            for score, text in zip(scores, described, strict=True)
        ]


def _is_catch_all(description: str) -> bool:
    return CATCH_ALL.search(description) is not None
