"""The encoder's layers as an ONNX model, made in memory from the weights that ship.

Those have eight bits and a scale per row as they lie in the file, which is what ONNX Runtime's integer kernels take. So
there is no second file that could differ from the first, and the package ``onnx`` is not needed: a model is a message
of Protocol Buffers, of which a few fields are written here (their numbers are those of ONNX's ``onnx.proto``). The
matrices stand beside the message, for within it ten megabytes would be copied again and again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from plano_agents.routing.embedded.weights import Array

STATES, SUMS = "states", "sums"
"""A model's input, tokens by width, and its output, the sum of the last layer's states: one by width."""

PROBE_WIDTH, PROBE_SUM = 16, 15 * 127.0
"""The width of `build_probe`'s model, and the sums that it gives for a row of a zero and ones."""

_IR_VERSION, _OPSET = 8, 17
_CONTRIBUTED = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}
_FLOAT, _INT, _INTS = 1, 2, 7
"""The types of attributes."""

_STEPS = 255
"""How many steps lie between a token's extremes."""

_ELSEWHERE = 1
"""The location of a tensor whose data is not part of the message."""


class OnnxModel(NamedTuple):
    """A model, and what it multiplies by."""

    message: bytes
    """A serialised ``ModelProto``."""
    matrices: Mapping[str, Array]
    """The matrices that the message names and does not hold."""


def build_model(arrays: Mapping[str, Array]) -> OnnxModel:
    """Build the model.

    Args:
        arrays: The encoder's weights by name, as ``training/routing/pack.py`` writes them.
    """
    graph = _Graph()
    width = arrays["positions"].shape[1]
    states = graph.normalize(STATES, arrays["norm"])
    for number in range(int(arrays["layers"])):
        states = _add_layer(graph, arrays, f"{number}.", states, width)
    graph.add("ReduceSum", [states, graph.put("axis", np.array([0]))], SUMS, keepdims=1)
    return graph.finish(width)


def build_probe() -> OnnxModel:
    """Build a model of one matrix that shows whether sums overflow, as on processors without integer dot products."""
    matrix = np.full((PROBE_WIDTH, PROBE_WIDTH), 127, np.int8)
    arrays: dict[str, Array] = {
        "probe": matrix,
        "probe.scale": np.ones(PROBE_WIDTH),
        "probe_bias": np.zeros(PROBE_WIDTH),
    }
    graph = _Graph()
    graph.multiply(STATES, "probe", arrays, SUMS)
    return graph.finish(PROBE_WIDTH)


def _add_layer(graph: "_Graph", arrays: Mapping[str, Array], layer: str, states: str, width: int) -> str:
    """Add a layer, as `Encoder` computes it."""
    heads = int(arrays["heads"])
    split = graph.put("split", np.array([-1, 3, heads, width // heads]))
    joined = graph.put("joined", np.array([-1, width]))
    scale = graph.put("scale", np.array((width // heads) ** -0.5, np.float32))

    projected = graph.add("Reshape", [graph.multiply(states, f"{layer}attention_in", arrays), split])
    parts = [
        graph.add("Gather", [projected, graph.put(name, np.array(at))], axis=1)
        for at, name in enumerate(("queries", "keys", "values"))
    ]
    queries, values = (graph.add("Transpose", [part], perm=(1, 0, 2)) for part in parts[::2])
    keys = graph.add("Transpose", [parts[1]], perm=(1, 2, 0))
    weights = graph.add("Softmax", [graph.add("Mul", [graph.add("MatMul", [queries, keys]), scale])], axis=-1)
    mixed = graph.add("Transpose", [graph.add("MatMul", [weights, values])], perm=(1, 0, 2))
    attended = graph.multiply(graph.add("Reshape", [mixed, joined]), f"{layer}attention_out", arrays)
    states = graph.normalize(graph.add("Add", [states, attended]), arrays[f"{layer}attention_norm"])
    hidden = graph.add("FastGelu", [graph.multiply(states, f"{layer}up", arrays)], domain=_CONTRIBUTED)
    return graph.normalize(
        graph.add("Add", [states, graph.multiply(hidden, f"{layer}down", arrays)]), arrays[f"{layer}norm"]
    )


@dataclass
class _Graph:
    """A graph while it is built."""

    nodes: list[bytes] = field(default_factory=list)
    tensors: dict[str, bytes] = field(default_factory=dict)
    matrices: dict[str, Array] = field(default_factory=dict)

    def add(
        self, kind: str, inputs: Sequence[str], output: str = "", *, domain: str = "", **given: float | tuple[int, ...]
    ) -> str:
        """Add an operator; give the name of what it gives."""
        output = output or f"{kind}.{len(self.nodes)}"
        attributes = b"".join(_pack(5, _encode_attribute(name, value)) for name, value in given.items())
        names = b"".join(_pack(1, name.encode()) for name in inputs)
        self.nodes.append(_pack(1, names + _text(2, output) + _text(4, kind) + attributes + _text(7, domain)))
        return output

    def put(self, name: str, array: Array) -> str:
        """Put a constant in, once; give its name."""
        if name not in self.tensors:
            self._describe(name, array, _pack(9, array.tobytes()))
        return name

    def lend(self, name: str, matrix: Array) -> str:
        """Name a matrix that the session is handed beside the message; give its name."""
        self.matrices[name] = np.ascontiguousarray(matrix)
        location = _text(1, "location") + _text(2, "memory")
        self._describe(name, matrix, _pack(13, location) + _number(14, _ELSEWHERE))
        return name

    def _describe(self, name: str, array: Array, data: bytes) -> None:
        """Add a ``TensorProto``."""
        dims = b"".join(_number(1, length) for length in array.shape)
        self.tensors[name] = _pack(5, dims + _number(2, _TYPES[array.dtype.name]) + _text(8, name) + data)

    def multiply(self, given: str, name: str, arrays: Mapping[str, Array], output: str = "") -> str:
        """Add the product with a matrix, and its bias; each token is rounded to eight bits between its own extremes."""
        scale = arrays[f"{name}.scale"].astype(np.float32)
        least = self.add("ReduceMin", [given], axes=(1,))
        spread = self.add("Sub", [self.add("ReduceMax", [given], axes=(1,)), least])
        unit = self.add("Div", [spread, self.put("steps", np.array(_STEPS, np.float32))])
        steps = self.add("Div", [self.add("Sub", [given, least]), unit])
        inputs = [
            self.add(
                "Cast", [self.add("Add", [steps, self.put("half", np.array(0.5, np.float32))])], to=_TYPES["uint8"]
            ),
            self.lend(name, arrays[name].T),
            self.put("one", np.ones(1, np.float32)),
            self.put(f"{name}.scale", scale),
        ]
        product = self.add("Mul", [self.add("MatMulIntegerToFloat", inputs, domain=_CONTRIBUTED), unit])
        sums = self.put(f"{name}.sums", arrays[name].sum(axis=1, dtype=np.float32) * scale)
        bias = self.put(f"{name}_bias", arrays[f"{name}_bias"].astype(np.float32))
        return self.add("Add", [product, self.add("Add", [self.add("Mul", [least, sums]), bias])], output)

    def normalize(self, states: str, norm: Array) -> str:
        """Add a layer's normalisation: ``norm`` is its scale and its shift."""
        number = len(self.nodes)
        scale, shift = (
            self.put(f"norm.{number}.{at}", row) for at, row in zip("ab", norm.astype(np.float32), strict=True)
        )
        return self.add("LayerNormalization", [states, scale, shift], axis=-1, epsilon=1e-12)

    def finish(self, width: int) -> OnnxModel:
        """Encode the ``ModelProto``."""
        opsets = [
            _pack(8, _text(1, domain) + _number(2, version)) for domain, version in (("", _OPSET), (_CONTRIBUTED, 1))
        ]
        message = _number(1, _IR_VERSION) + _pack(7, self._encode(width)) + b"".join(opsets)
        return OnnxModel(message, self.matrices)

    def _encode(self, width: int) -> bytes:
        """Encode the ``GraphProto``."""
        float_type = _number(1, _TYPES["float32"])
        shapes = {
            (11, STATES): _pack(1, _text(2, "tokens")) + _pack(1, _number(1, width)),
            (12, SUMS): _pack(1, _number(1, 1)) + _pack(1, _number(1, width)),
        }
        ends = (
            _pack(place, _text(1, name) + _pack(2, _pack(1, float_type + _pack(2, shape))))
            for (place, name), shape in shapes.items()
        )
        return b"".join([*self.nodes, _text(2, "encoder"), *self.tensors.values(), *ends])


def _encode_attribute(name: str, value: float | tuple[int, ...]) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _varint(2 << 3 | 5) + np.float32(value).tobytes() + _number(20, _FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _INT)
    return _text(1, name) + b"".join(_number(8, each) for each in value) + _number(20, _INTS)


def _pack(place: int, message: bytes) -> bytes:
    """Encode a field that has a length: a message, text or bytes."""
    return _varint(place << 3 | 2) + _varint(len(message)) + message


def _text(place: int, text: str) -> bytes:
    return _pack(place, text.encode()) if text else b""


def _number(place: int, number: int) -> bytes:
    return _varint(place << 3) + _varint(number)


def _varint(number: int) -> bytes:
    """Encode a number in groups of seven bits, the lowest first; a negative one as 64 bits."""
    return bytes(_groups(number % (1 << 64)))


def _groups(number: int) -> Iterator[int]:
    while number > 0x7F:  # noqa: PLR2004 - the most that seven bits hold
        yield number & 0x7F | 0x80
        number >>= 7
    yield number
