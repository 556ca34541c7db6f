import numpy as np
import pytest

from plano_agents.routing.embedded.encoder import Encoder
from plano_agents.routing.embedded.weights import FOLDER, load_arrays


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(load_arrays(FOLDER / "encoder.npz"))


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode([[101, 2129, 102], list(range(1000, 1000 + encoder.max_tokens))])
    assert vectors.shape == (2, encoder.width)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_batch_gives_what_its_texts_give_alone(encoder: Encoder) -> None:
    texts = [[101, 2129, 2079, 102], [101, 102], list(range(2000, 2050))]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert np.allclose(encoder.encode(texts), alone, atol=1e-5)


def test_the_order_of_words_counts(encoder: Encoder) -> None:
    one, other = encoder.encode([[101, 2079, 2129, 102], [101, 2129, 2079, 102]])
    assert float(one @ other) < 0.999
