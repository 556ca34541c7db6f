"""English glosses of other languages' words, for an encoder that knows only English.

`gloss` puts the English for what it recognises before a text. It knows the words that requests and descriptions of
routes are made of (``lexicon.txt``), and stays silent where a text has as many English function words as words that
it could translate. Words are compared in lower case and without accents, but where these tell words apart; a word's
beginning may be enough, two words may mean one thing, and in scripts without spaces words are found anywhere.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from importlib.resources import files

MAX_WORDS = 16
"""How many English words are put before a text at most."""

READ_CHARS = 1_000
"""How much of a text is looked at, in characters, at either end."""

_WORD = re.compile(r"\w+")
_SPACELESS = re.compile("[\u0e00-\u0e7f\u1100-\u11ff\u2e80-\u9fff\uf900-\ufaff]")
_SHORTEST_BEGINNING = 3
_ARTICLE = "ال"
_FUNCTION_WORDS = frozenset(
    [
        "a",
        "and",
        "are",
        "be",
        "can",
        "do",
        "does",
        "for",
        "from",
        "have",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "my",
        "not",
        "of",
        "on",
        "should",
        "that",
        "the",
        "this",
        "to",
        "what",
        "which",
        "who",
        "with",
        "would",
        "you",
        "your",
    ]
)


class Lexicon:
    """Translates words into English, as far as it knows them.

    Args:
        lines: ``english: word beginning* =áccented two_words …``; lines that start with ``#`` are comments.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._words: dict[str, str] = {}
        self._exact: dict[str, str] = {}
        self._beginnings: dict[str, str] = {}
        self._anywhere: dict[str, str] = {}
        for line in lines:
            english, colon, words = line.partition(": ")
            if not colon or line.startswith("#"):
                continue
            for given in words.split():
                word = _normalize(given)
                if "_" in given or given.startswith("="):
                    self._exact.setdefault(_compose(given.removeprefix("=").replace("_", " ")), english)
                elif _SPACELESS.search(word):
                    self._anywhere.setdefault(word, english)
                elif word.endswith("*"):
                    self._beginnings.setdefault(word[:-1], english)
                else:
                    self._words.setdefault(word, english)

    @cached_property
    def _find_anywhere(self) -> Callable[[str], list[str]]:
        """Find the words of scripts without spaces; compiled when the first such text comes, for it takes a while."""
        longest_first = sorted(self._anywhere, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "(?!)").findall

    def gloss(self, text: str) -> str:
        """Put the English for what is recognised before a text; an English text stays as it is."""
        head, tail = text[:READ_CHARS], text[READ_CHARS:][-READ_CHARS:]
        words = _WORD.findall(_compose(f"{head} {tail}"))
        function_words = sum(word in _FUNCTION_WORDS for word in words)
        found = list(dict.fromkeys(self._translate(words)))
        return f"{' '.join(found[:MAX_WORDS])}. {text}" if len(found) > function_words else text

    def _translate(self, words: Iterable[str]) -> Iterator[str]:
        before = ""
        for given in words:
            exact = self._exact.get(f"{before} {given}") or self._exact.get(given)
            before = given
            if exact is not None:
                yield exact
            word = _normalize(given)
            if _SPACELESS.search(word):
                yield from map(self._anywhere.__getitem__, self._find_anywhere(word))
            elif exact is None and word not in _FUNCTION_WORDS:
                english = self._look_up(word)
                if english is not None:
                    yield english

    def _look_up(self, word: str) -> str | None:
        found = self._words.get(word)
        for end in range(len(word), _SHORTEST_BEGINNING - 1, -1):
            if found is not None:
                return found
            found = self._beginnings.get(word[:end])
        if found is None and word.startswith(_ARTICLE):
            return self._words.get(word.removeprefix(_ARTICLE))
        return found


@cache
def load_lexicon() -> Lexicon:
    """Read the lexicon that comes with the package."""
    return Lexicon((files(__package__) / "lexicon.txt").read_text(encoding="utf-8").splitlines())


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text.lower())


def _normalize(text: str) -> str:
    if text.isascii():  # has no accents
        return text.lower()
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
