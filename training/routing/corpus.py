"""The training texts: sections of lines, slots filled, the same for the same seed."""

import random
import re
from dataclasses import dataclass
from pathlib import Path

from plano_agents.config.model import Preference
from training.routing.kinds import SUBJECT

DATA = Path(__file__).with_name("data")
PER_KIND = 700
"""How many English prompts of a kind are drawn at most."""

PER_KIND_ELSEWHERE = 120
"""The same of prompts in other languages."""

PER_SUBJECT_LINE = 1
"""How many forms of a subject's prompt are drawn, beside the prompt as it is."""

LOWERED, OPENED, MISSPELT = 0.2, 0.12, 0.08
"""Which share of prompts is in lower case, which begins with one of `OPENINGS`, and which has a misspelt word."""

SWAPPED = 0.5
"""In which share of misspelt words two letters are swapped; in the others one is left out."""

OPENINGS = (
    "Please ",
    "Hi, ",
    "Can you help me? ",
    "I need help. ",
    "Hey! ",
    "ok so ",
    "Thanks. Now ",
    "Question: ",
)
_SLOT = re.compile(r"\{(\w+)\}")
_LONG_WORD = re.compile("[A-Za-z]{5,}")
_TABLE_ROWS = ((0, 4), (4, 8), (8, 11), (11, 15), (15, 19), (19, 22), *((row, row + 4) for row in range(22, 46, 4)))


@dataclass(frozen=True)
class Corpus:
    """All texts."""

    kinds: tuple[str, ...]
    """The kinds of task, then `SUBJECT`."""
    prompts: list[tuple[str, str]]
    """Text and kind, or text and a subject's heading."""
    wordings: list[tuple[str, tuple[str, ...]]]
    """``name: description`` and the kinds it is for."""
    subjects: dict[str, tuple[str, ...]]
    """The subjects' headings, ``name: description``, and how else each is described."""
    held_out: list[tuple[str, str]]
    """Text and kind of prompts in other languages that were kept back."""


def read_sections(name: str, mark: str = "#") -> dict[str, list[str]]:
    """Read lines under headings; lines before the first are comments."""
    sections: dict[str, list[str]] = {}
    heading = None
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{mark} ") and not line.endswith("."):
            heading = line.removeprefix(f"{mark} ")
            sections.setdefault(heading, [])
        elif line and heading is not None:
            sections[heading].append(line)
    return sections


def build_corpus(seed: int = 0, *, hold_out: bool = False) -> Corpus:
    """Draw the training texts.

    Args:
        seed: The same seed draws the same.
        hold_out: Whether every second line in other languages is kept back.
    """
    dice = random.Random(seed)  # noqa: S311 - no secret
    filler = _Filler(dice)
    english, elsewhere = read_sections("english.txt"), read_sections("languages.txt")
    kinds = (*english, SUBJECT)
    kept_back = {kind: lines[1::2] if hold_out else [] for kind, lines in elsewhere.items()}
    used = {kind: lines[::2] if hold_out else lines for kind, lines in elsewhere.items()}
    prompts = [
        *filler.draw(english, PER_KIND, times=25),
        *filler.draw(used, PER_KIND_ELSEWHERE, times=4),
    ]
    subjects: dict[str, tuple[str, ...]] = {}
    for headings, lines in read_sections("subjects.txt").items():
        heading, *others = headings.split(" | ")
        subjects[heading] = tuple(others)
        prompts += [
            (filler.vary(line[0].upper() + line[1:]), heading) for line in lines for _ in range(PER_SUBJECT_LINE)
        ]
        prompts += [(line, heading) for line in lines]
    wordings = [
        (line, (SUBJECT,) if heading == "domain" else tuple(heading.split()))
        for heading, lines in read_sections("wordings.txt").items()
        for line in lines
    ]
    return Corpus(kinds, prompts, wordings, subjects, filler.draw(kept_back, PER_KIND, times=1))


def parse_wording(line: str) -> Preference:
    """Read ``name: description``."""
    name, _, description = line.partition(": ")
    return Preference(name, description, ())


def misspell(text: str, dice: random.Random) -> str:
    """Leave a letter out of a longer word, or swap two; a text without one stays as it is."""
    words = list(_LONG_WORD.finditer(text))[:30]
    if not words:
        return text
    word = dice.choice(words)
    at = dice.randrange(word.start() + 1, word.end() - 2)
    swapped = text[at + 1] + text[at] if dice.random() < SWAPPED else text[at]
    return text[:at] + swapped + text[at + 2 :]


class _Filler:
    """Fills slots."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._words = {
            slot: [word.strip() for line in lines for word in line.split(" | ")]
            for slot, lines in read_sections("slots.txt", "=").items()
        }
        self._blocks = read_sections("passages.txt", "=")

    def draw(self, sections: dict[str, list[str]], most: int, *, times: int) -> list[tuple[str, str]]:
        """Draw prompts of each kind, evenly over its lines."""
        drawn: list[tuple[str, str]] = []
        for kind, lines in sections.items():
            share = max(2, -(-2 * most // len(lines))) if lines else 0
            pool: list[str] = []
            for line in lines:
                forms = {self.vary(self._fill(line)) for _ in range(times if "{" in line else min(times, 4))}
                pool += self._dice.sample(sorted(forms), min(share, len(forms)))
            self._dice.shuffle(pool)
            drawn += [(text, kind) for text in pool[:most]]
        return drawn

    def _fill(self, line: str) -> str:
        return _SLOT.sub(lambda slot: self._pick(slot[1]), line)

    def _pick(self, slot: str) -> str:
        if slot == "br":
            return "\n\n"
        if slot == "table":
            start, end = self._dice.choice(_TABLE_ROWS)
            return "\n" + "\n".join(self._blocks["table"][start:end]) + "\n"
        if slot == "code":
            return f"\n```\n{self._dice.choice(self._blocks['code'])}\n```\n"
        if slot == "passage":
            return "\n".join(self._dice.sample(self._blocks["passage"], self._dice.choice([1, 1, 1, 2])))
        slot = slot if slot in self._words else slot.rstrip("23")  # {name} and {name2} are two of one list
        return self._dice.choice(self._blocks.get(slot) or self._words[slot])

    def vary(self, text: str) -> str:
        """Write a prompt as people do: in lower case, with a slip, after a greeting."""
        if self._dice.random() < LOWERED:
            text = text.lower().rstrip(".?!")
        if self._dice.random() < MISSPELT:
            text = misspell(text, self._dice)
        return self._dice.choice(OPENINGS) + text if self._dice.random() < OPENED else text
