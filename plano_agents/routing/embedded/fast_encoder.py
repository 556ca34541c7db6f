"""Token ids to vectors by ONNX Runtime, with integers of eight bits: the extra ``fast-routing``.

The same weights as `Encoder`'s. What differs is that states are rounded to eight bits before each matrix, so vectors
differ a little, and now and then a decision that was a close one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from plano_agents.routing.embedded.encoder import Floats
from plano_agents.routing.embedded.onnx_graph import (
    PROBE_SUM,
    PROBE_WIDTH,
    STATES,
    SUMS,
    OnnxModel,
    build_model,
    build_probe,
)
from plano_agents.routing.embedded.weights import Array, release_pages

_ERRORS_ONLY = 3


class FastEncoder:
    """Makes vectors of token ids, as `Encoder` does, one text after the other; without threads of its own.

    Args:
        arrays: The weights by name, as ``training/routing/pack.py`` writes them.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._words, self._word_scales = arrays["words"], arrays["words.scale"].astype(np.float32)
        self._positions = arrays["positions"].astype(np.float32)
        self._session = _load(build_model(arrays), exact=_overflows())

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """See `Encoder.encode`."""
        sums = np.concatenate([self._sum(np.asarray(text)) for text in texts])
        release_pages(self._words)
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

    def _sum(self, ids: Array) -> Floats:
        states = self._words[ids] * self._word_scales[ids, None] + self._positions[: len(ids)]
        return np.asarray(self._session.run([SUMS], {STATES: states})[0], np.float32)


def _overflows() -> bool:
    """Tell whether the quickest kernels overflow on this processor."""
    row = np.ones((1, PROBE_WIDTH), np.float32)
    row[0, 0] = 0
    sums = _load(build_probe(), exact=False).run([SUMS], {STATES: row})[0]
    return not np.allclose(sums, PROBE_SUM, rtol=0.01)


def _load(model: OnnxModel, *, exact: bool) -> onnxruntime.InferenceSession:
    """Load a model, to be run on the calling thread; ``exact`` takes slower kernels that do not overflow.

    The session packs the matrices for its kernels, and keeps those it was handed no longer than it needs them.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # More looks at the graph find nothing: the sums are the same to the bit, and as quick.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.x64quantprecision", str(int(exact)))
    lent = [onnxruntime.OrtValue.ortvalue_from_numpy(matrix) for matrix in model.matrices.values()]
    options.add_external_initializers(list(model.matrices), lent)
    return onnxruntime.InferenceSession(model.message, options, providers=["CPUExecutionProvider"])
