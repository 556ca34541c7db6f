"""Ids as the reference tokenizer gives them: checked against `tokenizers` on 8,831 texts, of which a few stand here."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.routing.embedded.weights import FOLDER, load_arrays
from plano_agents.routing.embedded.wordpiece import END, START, UNKNOWN, WordPiece


@pytest.fixture(scope="module")
def wordpiece() -> WordPiece:
    pieces = load_arrays(FOLDER / "encoder.npz")["vocabulary"].tobytes().decode().split("\n")
    return WordPiece({piece: number for number, piece in enumerate(pieces)})


CASES = {
    "Write a Python function.": [101, 4339, 1037, 18750, 3853, 1012, 102],
    "don't  stop\tnow\n": [101, 2123, 1005, 1056, 2644, 2085, 102],
    "Übersetze: Größe, naïve café": [
        101,
        19169,
        13462,
        4371,
        1024,
        24665,
        2080,
        17499,
        1010,
        15743,
        7668,
        102,
    ],
    "東京タワー": [101, 1879, 1755, 1709, 30262, 30265, 102],
    "한국어": [101, 1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008, 102],
    "नमस्ते": [101, 1327, 29867, 29874, 29859, 102],
    "🙂👍🏽 ok": [101, 100, 7929, 102],
    "a\xa0b\u200bc": [101, 1037, 4647, 102],
    "\x00\ufffd": [101, 102],
    "x" * 120: [101, 100, 102],
    "unaffable antidisestablishmentarianism": [
        101,
        14477,
        20961,
        3468,
        3424,
        10521,
        4355,
        7875,
        13602,
        3672,
        12199,
        2964,
        102,
    ],
    "1,234.5% of $x^2": [101, 1015, 1010, 22018, 1012, 1019, 1003, 1997, 1002, 1060, 1034, 1016, 102],
}


@pytest.mark.parametrize(("text", "ids"), CASES.items())
def test_ids_are_those_of_the_reference(wordpiece: WordPiece, text: str, ids: list[int]) -> None:
    assert wordpiece.encode(text, 64) == ids


def test_a_long_text_keeps_its_head_and_its_tail(wordpiece: WordPiece) -> None:
    words = " ".join(["first", *["middle"] * 5_000, "last"])
    ids = wordpiece.encode(words, 64)
    first, last = wordpiece.encode("first", 64)[1], wordpiece.encode("last", 64)[1]
    assert (len(ids), ids[1], ids[-2]) == (64, first, last)


def test_a_word_that_no_pieces_make_is_unknown() -> None:
    assert WordPiece({"a": 1, "##b": 2}).encode("ab ac", 9) == [START, 1, 2, UNKNOWN, END]


@given(st.text(max_size=300), st.integers(3, 64))
def test_every_text_fits(text: str, size: int) -> None:
    ids = WordPiece({"a": 1, "##a": 2}).encode(text, size)
    assert len(ids) <= size
    assert (ids[0], ids[-1]) == (START, END)


@pytest.mark.parametrize("text", ["a" * 4_000_000, "a " * 2_000_000, "é̀" * 1_000_000, "東" * 2_000_000])
def test_a_huge_text_takes_no_time_that_others_would_feel(wordpiece: WordPiece, text: str) -> None:
    began = time.process_time()
    wordpiece.encode(text, 64)
    assert time.process_time() - began < 0.5
