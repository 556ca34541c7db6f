"""Token ids to vectors: a BERT encoder (Devlin et al. 2018) with mean pooling, on NumPy.

The texts of a batch lie end to end, without padding: only attention looks at them one by one. So a batch gives what
its texts give alone, to rounding. Matrices are kept as eight-bit integers with a scale per row, and widened when they
are loaded; the table of words stays narrow, for few of its rows are used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plano_agents.routing.embedded.weights import Array, release_pages

Floats = npt.NDArray[np.float32]

EPSILON = np.float32(1e-12)
_GELU_INNER, _GELU_CUBIC = np.float32(0.7978845608), np.float32(0.044715)


class Encodes(Protocol):
    """Makes vectors of token ids."""

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Make a vector of each text.

        Args:
            texts: Token ids, none empty, none longer than the weights have positions.

        Returns:
            Vectors of length one, a row per text.
        """


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's weights, turned so that a row of states multiplies from the left."""

    attention_in: Floats
    """Queries, keys and values beside each other: width by 3 widths."""
    attention_in_bias: Floats
    attention_out: Floats
    attention_out_bias: Floats
    attention_norm: Floats
    """Scale and shift: 2 by width."""
    up: Floats
    up_bias: Floats
    down: Floats
    down_bias: Floats
    norm: Floats
    """Scale and shift: 2 by width."""


class Encoder:
    """Makes vectors of token ids.

    Args:
        arrays: The weights by name, as ``training/routing/pack.py`` writes them.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._words, self._word_scales = arrays["words"], arrays["words.scale"].astype(np.float32)
        self._positions = arrays["positions"].astype(np.float32)
        self._norm = arrays["norm"].astype(np.float32)
        self._heads = int(arrays["heads"])
        self._layers = [
            _Layer(
                **{
                    name: _widen(arrays, f"{number}.{name}") for name in ("attention_in", "attention_out", "up", "down")
                },
                **{
                    name: arrays[f"{number}.{name}"].astype(np.float32)
                    for name in (
                        "attention_in_bias",
                        "attention_out_bias",
                        "attention_norm",
                        "up_bias",
                        "down_bias",
                        "norm",
                    )
                },
            )
            for number in range(int(arrays["layers"]))
        ]

    @property
    def max_tokens(self) -> int:
        """The largest number of ids that a text may have."""
        return len(self._positions)

    @property
    def width(self) -> int:
        """The length of a vector."""
        return int(self._positions.shape[1])

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """See `Encodes.encode`."""
        lengths = [len(text) for text in texts]
        ends = np.cumsum(lengths, dtype=np.intp)
        starts = ends - np.asarray(lengths, np.intp)
        ids = np.concatenate([np.asarray(text) for text in texts])
        places = np.arange(len(ids)) - np.repeat(starts, lengths)
        states = self._words[ids] * self._word_scales[ids, None] + self._positions[places]
        release_pages(self._words)
        states = _normalize(states.astype(np.float32, copy=False), self._norm)
        for layer in self._layers:
            states = self._run(layer, states, list(zip(starts.tolist(), ends.tolist(), strict=True)))
        sums = np.add.reduceat(states, starts, axis=0)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    def _run(self, layer: _Layer, states: Floats, spans: Sequence[tuple[int, int]]) -> Floats:
        mixed = np.empty_like(states)
        projected = states @ layer.attention_in + layer.attention_in_bias
        for start, end in spans:
            mixed[start:end] = self._attend(projected[start:end])
        states = _normalize(states + mixed @ layer.attention_out + layer.attention_out_bias, layer.attention_norm)
        hidden = _gelu(states @ layer.up + layer.up_bias)
        return _normalize(states + hidden @ layer.down + layer.down_bias, layer.norm)

    def _attend(self, projected: Floats) -> Floats:
        """Mix the states of one text (Vaswani et al. 2017, scaled dot-product attention)."""
        length = len(projected)
        queries, keys, values = projected.reshape(length, 3, self._heads, -1).transpose(1, 2, 0, 3)
        weights = (queries @ keys.transpose(0, 2, 1)) * np.float32(queries.shape[-1] ** -0.5)
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        return np.asarray((weights @ values).transpose(1, 0, 2).reshape(length, -1), np.float32)


def _widen(arrays: Mapping[str, Array], name: str) -> Floats:
    """Widen a matrix, and turn it: so rows of states multiply it without a copy."""
    narrow, scale = arrays[name], arrays[f"{name}.scale"].astype(np.float32)
    wide = np.empty(narrow.shape[::-1], np.float32)
    return np.multiply(narrow.T, scale, out=wide)


def _normalize(states: Floats, norm: Floats) -> Floats:
    """Bring each row to mean zero and variance one, then scale and shift it (Ba et al. 2016)."""
    centred = states - states.mean(axis=-1, keepdims=True)
    spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + EPSILON)
    return np.asarray(centred / spread * norm[0] + norm[1], np.float32)


def _gelu(values: Floats) -> Floats:
    """Hendrycks and Gimpel 2016, by its tanh approximation."""
    inner = np.tanh(_GELU_INNER * (values + _GELU_CUBIC * values * values * values))
    return np.asarray(np.float32(0.5) * values * (1 + inner), np.float32)
