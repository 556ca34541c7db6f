"""MiniLM in PyTorch, as far as training needs it: a BERT encoder with mean pooling."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

HEADS = 12
LAYERS = 6


class Bert:
    """The encoder; the vectors of words stay as they are, all layers are tuned.

    Args:
        weights: ``model.safetensors``.
    """

    def __init__(self, weights: Path) -> None:
        self.weights = {
            name: tensor.float() for name, tensor in load_file(weights).items() if tensor.is_floating_point()
        }
        self.tune_from(0)

    def tune_from(self, layer: int) -> None:
        """Tune this layer and those above it, and no other."""
        self._tuned_from = layer
        for name, tensor in self.weights.items():
            own = int(name.split(".")[2]) if name.startswith("encoder.layer.") else -1
            tensor.requires_grad_(own >= layer)

    @property
    def width(self) -> int:
        """The length of a vector."""
        return len(self.weights["embeddings.LayerNorm.weight"])

    @property
    def tuned(self) -> list[Tensor]:
        """The weights that training changes."""
        return [tensor for tensor in self.weights.values() if tensor.requires_grad]

    @torch.autocast("cpu", dtype=torch.bfloat16)
    def encode(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Make a vector of length one for each text's token ids; products have sixteen bits, a third of the time."""
        length = max(map(len, texts))
        ids = torch.tensor([[*text, *[0] * (length - len(text))] for text in texts])
        real = torch.tensor([[True] * len(text) + [False] * (length - len(text)) for text in texts])
        mask = real[:, None, None, :]
        with torch.no_grad():
            states = self._norm(
                self.weights["embeddings.word_embeddings.weight"][ids]
                + self.weights["embeddings.position_embeddings.weight"][:length]
                + self.weights["embeddings.token_type_embeddings.weight"][0],
                "embeddings.LayerNorm",
            )
            for number in range(self._tuned_from):
                states = self._run(number, states, mask)
        for number in range(self._tuned_from, LAYERS):
            states = self._run(number, states, mask)
        return functional.normalize((states.float() * real[..., None]).sum(1), dim=1)

    def _run(self, number: int, states: Tensor, mask: Tensor) -> Tensor:
        layer = f"encoder.layer.{number}"
        count, length, width = states.shape
        queries, keys, values = (
            self._linear(states, f"{layer}.attention.self.{name}").view(count, length, HEADS, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        weights = (queries @ keys.transpose(2, 3) * queries.shape[-1] ** -0.5).masked_fill(~mask, -torch.inf)
        mixed = (weights.softmax(3) @ values).transpose(1, 2).reshape(count, length, width)
        states = self._norm(
            states + self._linear(mixed, f"{layer}.attention.output.dense"),
            f"{layer}.attention.output.LayerNorm",
        )
        hidden = functional.gelu(self._linear(states, f"{layer}.intermediate.dense"), approximate="tanh")
        return self._norm(states + self._linear(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return functional.linear(states, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, states: Tensor, name: str) -> Tensor:
        scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(states, scale.shape, scale, shift, 1e-12)
