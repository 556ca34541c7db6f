"""Trained weights to the file that ships: eight bits and a scale per row for matrices, sixteen bits for the rest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from training.routing.bert import HEADS, LAYERS

MAX_TOKENS = 64
"""Positions beyond are left out."""


def pack_encoder(weights: Mapping[str, Tensor], vocabulary: Sequence[str], path: Path) -> None:
    """Write the encoder.

    Args:
        weights: By the names of MiniLM's file.
        vocabulary: The tokens, in the order of their ids.
        path: Where to.
    """
    given = {name: tensor.detach().numpy() for name, tensor in weights.items()}
    positions = given["embeddings.position_embeddings.weight"] + given["embeddings.token_type_embeddings.weight"][0]
    arrays: dict[str, np.ndarray] = {
        "heads": np.array(HEADS),
        "layers": np.array(LAYERS),
        "vocabulary": np.frombuffer("\n".join(vocabulary).encode(), np.uint8),
        "positions": positions[:MAX_TOKENS].astype(np.float16),
        "norm": _stack(given, "embeddings.LayerNorm", "weight", "bias"),
    }
    _put(arrays, "words", given["embeddings.word_embeddings.weight"])
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        attention = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        _put(arrays, f"{number}.attention_in", np.concatenate([given[f"{name}.weight"] for name in attention]))
        arrays[f"{number}.attention_in_bias"] = np.concatenate([given[f"{name}.bias"] for name in attention])
        for name, source in (
            ("attention_out", "attention.output.dense"),
            ("up", "intermediate.dense"),
            ("down", "output.dense"),
        ):
            _put(arrays, f"{number}.{name}", given[f"{layer}.{source}.weight"])
            arrays[f"{number}.{name}_bias"] = given[f"{layer}.{source}.bias"]
        arrays[f"{number}.attention_norm"] = _stack(given, f"{layer}.attention.output.LayerNorm", "weight", "bias")
        arrays[f"{number}.norm"] = _stack(given, f"{layer}.output.LayerNorm", "weight", "bias")
    small = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in arrays.items()}
    np.savez(path, **small)  # not compressed, for it is mapped


def _put(arrays: dict[str, np.ndarray], name: str, matrix: np.ndarray) -> None:
    scale = np.abs(matrix).max(axis=1) / 127
    arrays[name] = np.round(matrix / scale[:, None]).astype(np.int8)
    arrays[f"{name}.scale"] = scale.astype(np.float32)


def _stack(given: Mapping[str, np.ndarray], name: str, *parts: str) -> np.ndarray:
    return np.stack([given[f"{name}.{part}"] for part in parts])
