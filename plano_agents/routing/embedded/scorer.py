"""Vectors to evidence: how much a text speaks for each preference.

Two signals are added. *Likeness*: the cosine between the text and the preference's words, its whole line and its
single phrases, or the nearest of its examples. *Task*: which of some twenty kinds of task the text looks like, by one
trained head, and which of them the preference describes, by another. A preference about a subject rather than a kind of
task (``flights``) describes none, and is left to likeness; the more of the preferences are like that, the less tasks
count for the others too.

What speaks for none of them is the share of the text's kinds that no preference is for, and its likeness to other
descriptions than those given. The weights of all these are those of a logistic choice between the preferences and none
(McFadden 1974), fitted by ``training/routing/calibrate.py`` to texts that no training saw; so a score is a probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.descriptions import read_description
from plano_agents.routing.embedded.encoder import Floats
from plano_agents.routing.embedded.passages import DATA, EXTRACT, WORK_ON_A_TEXT
from plano_agents.routing.embedded.weights import Array

PHRASE_SHARE = 0.6
"""What the best phrase counts in likeness; the whole line counts the rest."""

EXAMPLE_SHARE = 0.5
"""What the nearest examples count in likeness, where there are some."""

EXAMPLES_ALONE = 0.8
"""What they count where the description says nothing of the text."""

NEAREST_EXAMPLES = 2
"""How many of them count."""

CATCH_ALL_EVIDENCE = 0.5
"""The least evidence for a preference that says it is for everything: just enough to match when nothing else does."""

SURENESS = 2.0
"""How much surer the head of texts is taken to be than it says: it was fitted with weights that were kept small."""

LEAST_TASK = 0.05
"""The share of a task that is taken for granted, so that no head's certainty rules anything out."""

EVERYDAY = ("chat", "facts")
"""A preference for these kinds of task, both, is for everyday questions: it serves a text about a subject too."""

LEAST_REQUEST = 0.5
"""How likely an end of a text must be to ask for work on the rest of it."""

FOR, AGAINST = 7, 8
"""How many signals speak for a preference, and how many for none of them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A preference, as texts are compared with it."""

    whole: Floats
    """Its line's vector."""
    phrases: Floats
    """Its phrases' vectors, a row each."""
    excluded: Floats
    """The vectors of what it is not for, a row each; there may be none."""
    examples: Floats
    """Its examples' vectors, a row each; there may be none."""
    tasks: Floats
    """How much it is for each kind of task, and for everyday questions of any subject (see `EVERYDAY`); of length one
    at most, so that being for many costs something."""
    serves: Floats
    """The same for each kind by itself."""
    about_tasks: float
    """How much it is about kinds of task at all, rather than about a subject; from 0 to 1."""
    usual: float
    """The likeness that texts of any kind have to it, in the mean."""
    catch_all: bool
    """True if it is for everything."""


class Scorer:
    """Scores texts for preferences.

    Args:
        arrays: Both heads, and the weights of the choice, as ``training/routing`` writes them.
        tasks: Whether kinds of task count; without them likeness alone decides.
    """

    def __init__(self, arrays: Mapping[str, Array], *, tasks: bool = True) -> None:
        self._tasks = tasks
        self.kinds: tuple[str, ...] = tuple(map(str, arrays["tasks"]))
        """The kinds of task."""
        self._on_a_text = [self.kinds.index(kind) for kind in WORK_ON_A_TEXT]
        self._everyday = [self.kinds.index(kind) for kind in EVERYDAY]
        self._extract, self._data = self.kinds.index(EXTRACT), self.kinds.index(DATA)
        self._text_weights = arrays["text.weights"].astype(np.float32)
        self._text_bias = arrays["text.bias"].astype(np.float32)
        self._preference_weights = arrays["preference.weights"].astype(np.float32)
        self._preference_bias = arrays["preference.bias"].astype(np.float32)
        self._kinship = arrays["kinship"].astype(np.float32)
        self._texts_of_any_kind = arrays["texts"].astype(np.float32)
        self._other_descriptions = arrays["descriptions"].astype(np.float32)
        self._for = arrays["for"].astype(np.float32)
        self._against = arrays["against"].astype(np.float32)

    def read_tasks(self, vectors: Floats) -> Floats:
        """Tell which kinds of task texts look like: a row per text, adding up to one; the last is none of them."""
        logits = SURENESS * (vectors @ self._text_weights + self._text_bias)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def read_request(self, whole: Floats, ends: Floats) -> Floats:
        """Read what is asked of a passage: the vector of a text whose request stands beside what it is about.

        Args:
            whole: The text's vector.
            ends: Those of the ends that may be its request, a row each; there may be none.

        Returns:
            A vector of length one: the likeliest request's, as far as it asks for work on a text, and the whole's.
        """
        if not len(ends):
            return whole
        read = self.read_tasks(ends)
        shares = (
            read[:, self._on_a_text].sum(axis=1) - read[:, self._extract] * self.read_tasks(whole[None])[0, self._data]
        )
        share = float(shares.max())
        if share < LEAST_REQUEST:
            return whole
        mixed = (1 - share) * whole + share * ends[int(shares.argmax())]
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)

    def build_target(self, preference: Preference, vectors: Mapping[str, Floats]) -> Target:
        """Prepare a preference.

        Args:
            preference: What is described.
            vectors: The vector of each text that `list_texts` names.
        """
        read = read_description(preference.name, preference.description)
        whole = vectors[read.line]
        phrases = np.stack([vectors[phrase] for phrase in read.phrases])
        excluded = _stack([vectors[phrase] for phrase in read.excluded], len(whole))
        examples = _stack([vectors[example] for example in preference.examples], len(whole))
        likely = self._read_preference(whole)
        tasks, subject = likely[:-1], likely[-1]
        for vector in excluded:
            tasks = tasks * (1 - self._read_preference(vector)[:-1])
        tasks = np.append(tasks, np.prod(tasks[self._everyday]))
        return Target(
            whole=whole,
            phrases=phrases,
            excluded=excluded,
            examples=examples,
            tasks=np.asarray(tasks / max(1.0, float(np.linalg.norm(tasks))) * (1 - subject), np.float32),
            serves=np.asarray(tasks * (1 - subject), np.float32),
            about_tasks=float(min(1.0, tasks[:-1].sum()) * (1 - subject)),
            usual=float(_likeness(self._texts_of_any_kind, whole, phrases, excluded, examples).mean()),
            catch_all=read.catch_all,
        )

    def weigh(self, texts: Floats, targets: Sequence[Target]) -> Floats:
        """Weigh what texts say for each preference.

        Args:
            texts: Vectors, a row per text.
            targets: The preferences.

        Returns:
            Log odds of each preference against none of them: texts by preferences.
        """
        signals, against = self.measure(texts, targets)
        evidence = signals @ self._for - (against @ self._against)[:, None]
        least = [CATCH_ALL_EVIDENCE if target.catch_all else -np.inf for target in targets]
        return np.asarray(np.maximum(evidence, least), np.float32)

    def measure(self, texts: Floats, targets: Sequence[Target]) -> tuple[Floats, Floats]:
        """Measure the signals that are weighed.

        Args:
            texts: Vectors, a row per text.
            targets: The preferences.

        Returns:
            What speaks for each preference: texts by preferences by `FOR`; and what for none: texts by `AGAINST`.
        """
        like = np.stack(
            [_likeness(texts, each.whole, each.phrases, each.excluded, each.examples) for each in targets], 1
        )
        usual = np.broadcast_to([each.usual for each in targets], like.shape)
        shares = self.read_tasks(texts)
        wanted, offered = shares @ self._kinship, np.stack([each.tasks for each in targets], 1)
        task = wanted @ offered
        about = float(np.mean([each.about_tasks for each in targets])) ** 2 if self._tasks else 0.0
        doubtful = about * np.log(task.clip(0) + LEAST_TASK)
        own = np.broadcast_to([each.about_tasks * self._tasks for each in targets], like.shape)
        among_subjects = own * (1 - about) * (wanted[:, :-1] @ offered[:-1])  # everyday questions are not theirs there
        signals = np.stack([like, about * like, usual, about * usual, about * task, doubtful, among_subjects], axis=-1)
        served = (self._kinship @ np.stack([each.serves for each in targets], 1)).max(axis=1).clip(0, 1)
        unserved = shares @ (1 - served)
        other = (texts @ self._other_descriptions.T).max(axis=1)
        many = np.full(len(texts), np.log(len(targets)))
        one = np.ones(len(texts))
        elsewhere = about * np.log(unserved.clip(0) + LEAST_TASK)
        against = np.stack(
            [one, about * one, about * unserved, many, about * many, other, about * other, elsewhere], axis=-1
        )
        return np.asarray(signals, np.float32), np.asarray(against, np.float32)

    def _read_preference(self, vector: Floats) -> Floats:
        """Tell which kinds of task a description is for, each from 0 to 1; the last is about a subject."""
        return np.asarray(1 / (1 + np.exp(-(vector @ self._preference_weights + self._preference_bias))), np.float32)


def _likeness(texts: Floats, whole: Floats, phrases: Floats, excluded: Floats, examples: Floats) -> Floats:
    nearest = (texts @ phrases.T).max(axis=1)
    described = (1 - PHRASE_SHARE) * (texts @ whole) + PHRASE_SHARE * nearest
    if len(excluded):
        described = described - np.maximum((texts @ excluded.T).max(axis=1) - nearest, 0)
    if not len(examples):
        return np.asarray(described, np.float32)
    alike = np.sort(texts @ examples.T, axis=1)[:, -NEAREST_EXAMPLES:].mean(axis=1)
    shared = (1 - EXAMPLE_SHARE) * described + EXAMPLE_SHARE * alike
    return np.asarray(np.maximum(shared, EXAMPLES_ALONE * alike), np.float32)


def _stack(vectors: Sequence[Floats], width: int) -> Floats:
    return np.stack(vectors) if vectors else np.empty((0, width), np.float32)
