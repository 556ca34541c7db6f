"""Vectors to evidence: how much a text speaks for each preference.

Two signals are added. *Likeness*: the cosine between the text and the preference's words, its whole line and its
single phrases, or the nearest of its examples. *Task*: which of some twenty kinds of task the text looks like, by one
trained head, and which of them the preference describes, by another. A preference about a subject rather than a kind of
task (``flights``) describes none, and is left to likeness; the more of the preferences are like that, the less tasks
count for the others too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.encoder import Floats
from plano_agents.routing.embedded.weights import Array

PHRASE_SHARE = 0.6
"""What the best phrase counts in likeness; the whole line counts the rest."""

MAX_PHRASES = 16
"""How many phrases of a preference are read; a client may send preferences of its own."""

TASK_WEIGHT = 0.6
"""What a full agreement of tasks counts, by a cosine of one."""

EXAMPLE_SHARE = 0.5
"""What the nearest examples count in likeness, where there are some."""

NEAREST_EXAMPLES = 2
"""How many of them count."""

SHARPNESS = 25.0
"""Log odds per unit of score."""

NO_MATCH_SCORE = 0.30
"""The score at which a preference is as likely as none, where preferences are about subjects; this and the next by
``training/routing/calibrate.py``."""

TASK_NO_MATCH_SCORE = 0.37
"""The same where they are about kinds of task."""

CATCH_ALL_EVIDENCE = 0.5
"""The least evidence for a preference that says it is for everything: just enough to match when nothing else does."""

_PHRASE_END = re.compile(r"[,;:.]| and | or ")
_CATCH_ALL = re.compile(
    r"\b(?:anything|everything|whatever|catch.?all|fallback|default"
    r"|(?:any|all)(?: other| kinds? of| sorts? of)? (?:requests?|tasks?|questions?|others?|prompts?|else)|none of the above)\b",
    re.IGNORECASE,
)


def describe(preference: Preference) -> str:
    """Put a preference into one line, as it is read: ``code generation: new functions and scripts``."""
    name = preference.name.replace("_", " ")
    return f"{name}: {preference.description}" if preference.description else name


def split_phrases(preference: Preference) -> list[str]:
    """Split a preference into its name and the phrases of its description."""
    parts = [preference.name.replace("_", " "), *_PHRASE_END.split(preference.description)]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))[:MAX_PHRASES]


def is_catch_all(preference: Preference) -> bool:
    """Tell whether a preference says that it is for everything."""
    return _CATCH_ALL.search(describe(preference)) is not None


@dataclass(frozen=True, slots=True)
class Target:
    """A preference, as texts are compared with it."""

    whole: Floats
    """Its line's vector."""
    phrases: Floats
    """Its phrases' vectors, a row each."""
    examples: Floats
    """Its examples' vectors, a row each; there may be none."""
    tasks: Floats
    """How much it is for each kind of task; of length one at most, so that being for many costs something."""
    about_tasks: float
    """How much it is about kinds of task at all, rather than about a subject; from 0 to 1."""
    catch_all: bool
    """Whether it is for everything."""


class Scorer:
    """Scores texts for preferences.

    Args:
        arrays: The heads by name, as ``training/routing/train.py`` writes them.
        task_weight: What a full agreement of tasks counts, by a cosine of one.
    """

    def __init__(self, arrays: Mapping[str, Array], *, task_weight: float = TASK_WEIGHT) -> None:
        self._task_weight = task_weight
        self.tasks: tuple[str, ...] = tuple(map(str, arrays["tasks"]))
        """The kinds of task."""
        self._text_weights = arrays["text.weights"].astype(np.float32)
        self._text_bias = arrays["text.bias"].astype(np.float32)
        self._preference_weights = arrays["preference.weights"].astype(np.float32)
        self._preference_bias = arrays["preference.bias"].astype(np.float32)
        self._kinship = arrays["kinship"].astype(np.float32)

    def read_tasks(self, vectors: Floats) -> Floats:
        """Tell which kinds of task texts look like: a row per text, adding up to one."""
        logits = vectors @ self._text_weights + self._text_bias
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def build_target(self, preference: Preference, vectors: Mapping[str, Floats]) -> Target:
        """Prepare a preference.

        Args:
            preference: What is described.
            vectors: The vector of each text that `list_texts` names.
        """
        whole = vectors[describe(preference)]
        likely = 1 / (1 + np.exp(-(whole @ self._preference_weights + self._preference_bias)))
        tasks, subject = likely[:-1], likely[-1]
        return Target(
            whole=whole,
            phrases=np.stack([vectors[phrase] for phrase in split_phrases(preference)]),
            examples=np.stack([vectors[example] for example in preference.examples])
            if preference.examples
            else np.empty((0, len(whole)), np.float32),
            tasks=np.asarray(tasks / max(1.0, np.linalg.norm(tasks)) * (1 - subject), np.float32),
            about_tasks=float(min(1.0, tasks.sum()) * (1 - subject)),
            catch_all=is_catch_all(preference),
        )

    def weigh(self, texts: Floats, targets: Sequence[Target]) -> Floats:
        """Weigh what texts say for each preference.

        Args:
            texts: Vectors, a row per text.
            targets: The preferences.

        Returns:
            Log odds of each preference against none of them: texts by preferences.
        """
        scores, no_match = self.score(texts, targets)
        evidence = SHARPNESS * (scores - no_match)
        least = [CATCH_ALL_EVIDENCE if target.catch_all else -np.inf for target in targets]
        return np.asarray(np.maximum(evidence, least), np.float32)

    def score(self, texts: Floats, targets: Sequence[Target]) -> tuple[Floats, float]:
        """Score texts for each preference.

        Args:
            texts: Vectors, a row per text.
            targets: The preferences.

        Returns:
            Scores, texts by preferences; and the score at which a preference is as likely as none.
        """
        related = self.read_tasks(texts) @ self._kinship
        about_tasks = float(np.mean([target.about_tasks for target in targets])) ** 2
        columns = [
            _likeness(texts, target) + self._task_weight * about_tasks * (related @ target.tasks) for target in targets
        ]
        no_match = NO_MATCH_SCORE + (TASK_NO_MATCH_SCORE - NO_MATCH_SCORE) * about_tasks
        return np.asarray(np.stack(columns, axis=1), np.float32), no_match


def list_texts(preference: Preference) -> list[str]:
    """List the texts whose vectors `Scorer.build_target` needs."""
    return [describe(preference), *split_phrases(preference), *preference.examples]


def _likeness(texts: Floats, target: Target) -> Floats:
    described = (1 - PHRASE_SHARE) * (texts @ target.whole) + PHRASE_SHARE * (texts @ target.phrases.T).max(axis=1)
    if not len(target.examples):
        return np.asarray(described, np.float32)
    nearest = np.sort(texts @ target.examples.T, axis=1)[:, -NEAREST_EXAMPLES:].mean(axis=1)
    return np.asarray((1 - EXAMPLE_SHARE) * described + EXAMPLE_SHARE * nearest, np.float32)
