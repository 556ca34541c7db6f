"""Text to token ids: BERT's uncased WordPiece (Devlin et al. 2018; its ``tokenization.py`` has the rules).

A text longer than the limit keeps its head and its tail, two thirds and one, as requests stand at either end.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

UNKNOWN, START, END = 100, 101, 102
"""The ids of ``[UNK]``, ``[CLS]`` and ``[SEP]`` in the vocabulary."""

LONGEST_WORD = 100
"""Longer words are unknown, in characters."""

CHARS_PER_TOKEN = 12
"""More characters than this per wanted token are not looked at, for no text needs them."""

_IDEOGRAPH = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f])")
_REMEMBERED = 20_000


class WordPiece:
    """Makes token ids of texts.

    Args:
        vocabulary: Token to id; inner pieces of words begin with ``##``.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        self._known: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Make token ids of a text, with ``[CLS]`` and ``[SEP]`` around them.

        Args:
            text: Any text.
            max_tokens: How many ids there may be, those two included.
        """
        room = max_tokens - 2
        seen = room * CHARS_PER_TOKEN
        if len(text) > 2 * seen:
            text = f"{text[:seen]} {text[-seen:]}"
        ids = [piece for word in _split(text) for piece in self._split_word(word)]
        if len(ids) > room:
            tail = room // 3
            ids = ids[: room - tail] + ids[len(ids) - tail :]
        return [START, *ids, END]

    def _split_word(self, word: str) -> tuple[int, ...]:
        found = self._known.get(word)
        if found is None:
            found = tuple(self._find_pieces(word)) if len(word) <= LONGEST_WORD else (UNKNOWN,)
            if len(self._known) < _REMEMBERED:
                self._known[word] = found
        return found

    def _find_pieces(self, word: str) -> list[int]:
        """Take the longest known piece from the left, over and over; a word with a gap is unknown."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self._vocabulary.get(f"##{word[start:end]}" if start else word[:end])
                if piece is not None:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return [UNKNOWN]
        return pieces


def _split(text: str) -> Iterator[str]:
    """Split a text into lower-case words without accents, signs and ideographs."""
    kept = "".join(char for char in text if char in "\t\n\r" or not _is_control(char))
    spaced = _IDEOGRAPH.sub(r" \1 ", kept).lower()
    bare = "".join(char for char in unicodedata.normalize("NFD", spaced) if unicodedata.category(char) != "Mn")
    for chunk in bare.split():
        yield from _split_signs(chunk)


def _split_signs(chunk: str) -> Iterator[str]:
    start = 0
    for index, char in enumerate(chunk):
        if _is_sign(char):
            if index > start:
                yield chunk[start:index]
            yield char
            start = index + 1
    if start < len(chunk):
        yield chunk[start:]


def _is_control(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char)[0] == "C"


def _is_sign(char: str) -> bool:
    """Tell whether a character stands for itself: Unicode punctuation, and ASCII's other signs."""
    if char.isascii():
        return not char.isalnum()
    return unicodedata.category(char)[0] == "P"
