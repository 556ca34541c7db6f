"""The extra ``fast-routing``: the same weights on ONNX Runtime, decide as on NumPy but for close calls."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.encoder import Encoder, Encodes
from plano_agents.routing.embedded.engine import Engine, build_encoder
from plano_agents.routing.embedded.lexicon import load_lexicon
from plano_agents.routing.embedded.scorer import Scorer
from plano_agents.routing.embedded.weights import FOLDER, load_arrays
from plano_agents.routing.embedded.wordpiece import WordPiece
from plano_agents.routing.strategy import Question
from plano_agents.routing.text import Utterance

if "PLANO_REQUIRE_CLIENTS" not in os.environ:
    pytest.importorskip("onnxruntime")

from plano_agents.routing.embedded.fast_encoder import FastEncoder

KINDS = {
    "code_generation": "writing new code: functions, scripts and components",
    "debugging": "finding and fixing errors in existing code",
    "math": "calculations, equations and word problems",
    "creative_writing": "stories, poems and role-play",
    "summarization": "summarizing articles and documents",
    "translation": "translating between languages",
    "data_analysis": "questions about tables, spreadsheets and charts",
    "legal": "legal questions, contracts and liability",
    "medical": "symptoms, illnesses and medication",
    "general_knowledge": "short factual questions",
}
MEANT = {
    "code_write": "code_generation",
    "code_fix": "debugging",
    "creative": "creative_writing",
    "summarize": "summarization",
    "translate": "translation",
    "data": "data_analysis",
    "facts": "general_knowledge",
}
PROJECT = Path(__file__).parents[3]
PROMPTS = (
    PROJECT / "training" / "routing" / "data" / "calibration_prompts.txt",
    PROJECT / "benchmarks" / "own_prompts" / "languages.txt",
)
"""Prompts that no training saw, under their kinds."""

MOST_LOST = 0.013
"""The share of right decisions that rounding may cost."""


def build_engine(encoder: Encodes) -> Engine:
    pieces = load_arrays(FOLDER / "encoder.npz")["vocabulary"].tobytes().decode().split("\n")
    wordpiece = WordPiece({piece: number for number, piece in enumerate(pieces)})
    return Engine(load_lexicon(), wordpiece, encoder, Scorer(load_arrays(FOLDER / "heads.npz")))


def decide(engine: Engine, texts: Sequence[str]) -> list[str | None]:
    preferences = tuple(Preference(name, said, ("a/b",)) for name, said in KINDS.items())
    scores = engine.score([Question((Utterance("user", text),), preferences) for text in texts])
    return [list(KINDS)[int(np.argmax(row))] if max(row) > 0.5 else None for row in scores]


def read_prompts() -> list[tuple[str, str]]:
    """Read prompts, each with the preference that it is for."""
    found, kind = [], ""
    for line in (line for path in PROMPTS for line in path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("# "):
            name = line.split()[-1]
            kind = MEANT.get(name, name)
        elif line and kind in KINDS:
            found.append((line, kind))
    return found


def test_where_the_extra_is_installed_it_is_used() -> None:
    assert isinstance(build_encoder(load_arrays(FOLDER / "encoder.npz")), FastEncoder)


def test_without_the_extra_numpy_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "plano_agents.routing.embedded.fast_encoder")
    assert isinstance(build_encoder(load_arrays(FOLDER / "encoder.npz")), Encoder)


def test_vectors_are_those_of_numpy_but_for_rounding() -> None:
    arrays = load_arrays(FOLDER / "encoder.npz")
    texts = [[101, 2129, 102], [101, 2129, 2079, 2017, 102], list(range(1000, 1064))]
    slow, fast = Encoder(arrays).encode(texts), FastEncoder(arrays).encode(texts)
    assert np.allclose(np.linalg.norm(fast, axis=1), 1, atol=1e-5)
    assert (slow * fast).sum(axis=1).min() > 0.97


def test_decisions_on_own_prompts_are_those_of_numpy_but_for_close_calls() -> None:
    arrays = load_arrays(FOLDER / "encoder.npz")
    texts, meant = zip(*read_prompts(), strict=True)
    assert len(texts) > 300
    slow, fast = (decide(build_engine(encoder), texts) for encoder in (Encoder(arrays), FastEncoder(arrays)))
    right = [np.mean([one == other for one, other in zip(said, meant, strict=True)]) for said in (slow, fast)]
    assert right[0] > 0.8
    assert right[1] >= right[0] - MOST_LOST
    assert np.mean([one == other for one, other in zip(slow, fast, strict=True)]) > 0.95
