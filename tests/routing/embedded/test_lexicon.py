import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.routing.embedded.lexicon import MAX_WORDS, Lexicon, load_lexicon

SMALL = Lexicon(["# comment: x", "write: escrib* schreibe", "poem: poema* 诗", "law: قانون", "no colon here"])


@pytest.mark.parametrize(
    ("text", "glossed"),
    [
        ("Escribe un poema", "write poem. Escribe un poema"),
        ("ESCRÍBEME POEMAS", "write poem. ESCRÍBEME POEMAS"),
        ("schreibe es", "write. schreibe es"),
        ("schreiben", "schreiben"),
        ("写一首诗", "poem. 写一首诗"),
        ("ما القانون", "law. ما القانون"),
        ("poema poema poema", "poem. poema poema poema"),
    ],
)
def test_what_is_recognised_stands_in_english_before_the_text(text: str, glossed: str) -> None:
    assert SMALL.gloss(text) == glossed


@pytest.mark.parametrize("text", ["Write a poem", "what does the word poema mean", "", "12 + 30", "```code```"])
def test_an_english_text_stays_as_it_is(text: str) -> None:
    assert SMALL.gloss(text) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Schreibe ein Gedicht über den Mond", {"write", "poem"}),
        ("Écris une fonction", {"write", "function"}),
        ("Реши уравнение", {"solve", "equation"}),
        ("请翻译成英文", {"translate", "English"}),
        ("次の文章を要約してください", {"summarize"}),
        ("Quais são os sintomas", {"symptoms"}),
        ("Bu metni özetle", {"summarize", "text"}),
        ("اكتب قصيدة", {"write", "poem"}),
        ("Tóm tắt bài báo này", {"summarize", "article"}),
        ("Dịch sang tiếng Nhật", {"translate", "Japanese"}),
        ("Склади вірш", {"write", "poem"}),
        ("시를 번역해 줘", {"translate"}),
    ],
)
def test_the_packages_lexicon_knows_what_requests_are_made_of(text: str, words: set[str]) -> None:
    gloss, dot, rest = load_lexicon().gloss(text).partition(". ")
    assert (dot, rest) == (". ", text)
    assert words <= set(gloss.split())


@pytest.mark.parametrize("text", ["song please", "bang", "Ho ho", "ham recipe", "qua"])
def test_an_accent_may_tell_a_word_from_an_english_one(text: str) -> None:
    assert load_lexicon().gloss(text) == text


def test_two_words_may_mean_one_thing() -> None:
    lexicon = Lexicon(["summarize: tóm_tắt", "heart: =tim"])
    assert lexicon.gloss("Tóm tắt") == "summarize. Tóm tắt"
    assert lexicon.gloss("tóm") == "tóm"


def test_no_more_words_than_the_limit_are_put_before_a_text() -> None:
    lexicon = Lexicon([f"word{number}: xx{number}" for number in range(100)])
    gloss, _, _ = lexicon.gloss(" ".join(f"xx{number}" for number in range(100))).partition(". ")
    assert len(gloss.split()) == MAX_WORDS


@given(st.text(max_size=500))
def test_a_text_always_ends_as_it_was(text: str) -> None:
    assert load_lexicon().gloss(text).endswith(text)


@pytest.mark.parametrize("text", ["escrib" * 700_000, "诗" * 4_000_000, "escribe " * 500_000])
def test_a_huge_text_takes_no_time_that_others_would_feel(text: str) -> None:
    began = time.process_time()
    load_lexicon().gloss(text)
    assert time.process_time() - began < 0.5
