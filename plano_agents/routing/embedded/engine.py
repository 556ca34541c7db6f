"""All that ranking needs, loaded once in a process, and used from one thread.

Vectors are kept for a while, for a conversation comes again with each turn: the latest `REMEMBERED`, under a keyed hash
of their text, in memory only. No text is kept.
"""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.conversation import ASSISTANT_WEIGHT, weigh_messages
from plano_agents.routing.embedded.descriptions import list_texts
from plano_agents.routing.embedded.encoder import Encoder, Encodes, Floats
from plano_agents.routing.embedded.greetings import is_greeting
from plano_agents.routing.embedded.lexicon import Lexicon, load_lexicon
from plano_agents.routing.embedded.passages import list_ends
from plano_agents.routing.embedded.scorer import Scorer, Target
from plano_agents.routing.embedded.weights import FOLDER, Array, load_arrays, release_freed
from plano_agents.routing.embedded.wordpiece import WordPiece
from plano_agents.routing.strategy import Question

MAX_TOKENS = 64
"""How many tokens of a text are read, its head and its tail; more made no difference where it was measured. Fewer (48)
route public sets as well, and miss the point of a request that comes to it late."""

BATCH = 32
"""How many texts are encoded at once."""

GREETING_KIND = "chat"
"""The kind of task of preferences that greetings may match."""

LEAST_SHARE = 0.2
"""How much of a preference must be for it."""

GREETING_EVIDENCE = -20.0
"""The evidence of a greeting for any other preference: it decides nothing."""

TARGETS = 1_024
"""How many preferences are kept prepared."""

REMEMBERED = 4_096
"""How many vectors are kept, of 1.5 KB each."""


class Engine:
    """Scores preferences by conversations; not to be used from two threads at once.

    Args:
        lexicon: Puts English before what is not.
        wordpiece: Makes token ids.
        encoder: Makes vectors.
        scorer: Compares them.
    """

    def __init__(self, lexicon: Lexicon, wordpiece: WordPiece, encoder: Encodes, scorer: Scorer) -> None:
        self._lexicon = lexicon
        self._wordpiece = wordpiece
        self._encoder = encoder
        self.scorer = scorer
        """Compares vectors."""
        self._pools = ThreadpoolController()
        self._secret = secrets.token_bytes(32)
        self._vectors: OrderedDict[bytes, Floats] = OrderedDict()
        self._targets: OrderedDict[tuple[str, str, tuple[str, ...]], Target] = OrderedDict()

    def score(self, questions: Sequence[Question]) -> list[list[float]]:
        """Score each question's preferences, in their order, from 0 to 1.

        One core computes, for on several the threads would wait for each other; afterwards the process has its own
        number of threads again.
        """
        with self._pools.limit(limits=1, user_api="blas"):
            vectors = self.embed(
                text
                for question in questions
                for text in (
                    *(part for said in question.conversation for part in (said.text, *list_ends(said.text))),
                    *(
                        text
                        for each in question.preferences
                        if _name(each) not in self._targets
                        for text in list_texts(each)
                    ),
                )
            )
            scores = [self._score(question, vectors) for question in questions]
        while len(self._targets) > TARGETS:  # not before, for a later question may need what an earlier one pushes out
            self._targets.popitem(last=False)
        return scores

    def embed(self, texts: Iterable[str]) -> dict[str, Floats]:
        """Give each text's vector, of length one."""
        keys = {text: self._key(text) for text in texts}
        found = {text: self._vectors[key] for text, key in keys.items() if key in self._vectors}
        missing = [text for text in keys if text not in found]
        ids = {text: self._wordpiece.encode(self._lexicon.gloss(text), MAX_TOKENS) for text in missing}
        missing.sort(key=lambda text: len(ids[text]))
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            found |= zip(batch, self._encoder.encode([ids[text] for text in batch]), strict=True)
        for text, key in keys.items():
            self._vectors[key] = found[text]
            self._vectors.move_to_end(key)
        while len(self._vectors) > REMEMBERED:
            self._vectors.popitem(last=False)
        return found

    def _key(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()

    def _score(self, question: Question, vectors: dict[str, Floats]) -> list[float]:
        targets = [self._prepare(preference, vectors) for preference in question.preferences]
        telling = [each for each in question.conversation if not is_greeting(each.text)]
        heard = telling or question.conversation
        evidence = self.scorer.weigh(np.stack([self._read_request(each.text, vectors) for each in heard]), targets)
        if not telling:
            evidence[:, [not self._is_for_greetings(target) for target in targets]] = GREETING_EVIDENCE
        weights = [1.0 if each.role == "user" else ASSISTANT_WEIGHT for each in heard]
        return [float(score) for score in weigh_messages(evidence, weights)]

    def _read_request(self, text: str, vectors: Mapping[str, Floats]) -> Floats:
        whole = vectors[text]
        ends = list_ends(text)
        return self.scorer.read_request(whole, np.stack([vectors[end] for end in ends])) if ends else whole

    def _prepare(self, preference: Preference, vectors: dict[str, Floats]) -> Target:
        name = _name(preference)
        target = self._targets.get(name)
        if target is None:
            target = self._targets[name] = self.scorer.build_target(preference, vectors)
        self._targets.move_to_end(name)
        return target

    def _is_for_greetings(self, target: Target) -> bool:
        return target.catch_all or target.tasks[self.scorer.kinds.index(GREETING_KIND)] > LEAST_SHARE


def _name(preference: Preference) -> tuple[str, str, tuple[str, ...]]:
    """Name what a preference is read for; its models are not."""
    return preference.name, preference.description, preference.examples


def build_encoder(arrays: Mapping[str, Array]) -> Encodes:
    """Build the quickest encoder that the installed packages allow: by ONNX Runtime, or by NumPy alone."""
    try:
        from plano_agents.routing.embedded.fast_encoder import FastEncoder  # noqa: PLC0415 - the extra may be missing
    except ImportError:
        return Encoder(arrays)
    return FastEncoder(arrays)


@cache
def load_engine() -> Engine:
    """Load what comes with the package; it takes a tenth of a second, and some 60 MB."""
    encoder = load_arrays(FOLDER / "encoder.npz")
    pieces = encoder["vocabulary"].tobytes().decode("utf-8").split("\n")
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    engine = Engine(
        load_lexicon(), WordPiece(vocabulary), build_encoder(encoder), Scorer(load_arrays(FOLDER / "heads.npz"))
    )
    release_freed()
    return engine
