"""Requests beside a passage: both ends of a message are read by themselves."""

import pytest

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.passages import list_ends
from plano_agents.routing.embedded.strategy import EmbeddedStrategy
from plano_agents.routing.text import Utterance

PASSAGE = "The patient was admitted on Monday with chest pain that had begun two days earlier. He was given aspirin."
PREFERENCES = [
    Preference("proofreading", "correcting, shortening and rewording texts", ("a/b",)),
    Preference("translation", "from one language into another", ("a/b",)),
    Preference("health", "symptoms, medicines and healthy living", ("a/b",)),
]


def test_a_request_before_a_passage_is_an_end() -> None:
    assert list_ends(f"Make this shorter, please: {PASSAGE}")[0] == "Make this shorter, please:"


def test_a_request_after_a_passage_is_an_end() -> None:
    assert list_ends(f"{PASSAGE}\n\nPut that into French")[-1] == "Put that into French"


def test_an_ideographic_full_stop_ends_a_sentence() -> None:
    passage = "患者は月曜日に胸の痛みで入院しました。アスピリンを投与されました。心電図に異常はありませんでした。"
    assert list_ends(f"次の文章を短くしてください。{passage}")[0] == "次の文章を短くしてください。"


@pytest.mark.parametrize(
    "stop", ["?", "\u061f", "\u0964", "\u06d4", "\uff1b", "\u0589", "\u1362", "\u2026", '."', ".\u201d"]
)
def test_a_sentence_ends_as_its_script_ends_it(stop: str) -> None:
    assert list_ends(f"Shorten this{stop} {PASSAGE}")[0] == f"Shorten this{stop}"


def test_a_request_is_not_longer_than_its_passage() -> None:
    text = "Write the schema as DDL: products, orders, order lines and payments, with keys, constraints and indexes."
    assert list_ends(text) == ("Write the schema as DDL:",)


@pytest.mark.parametrize("text", [" " * 1_000 + "Hello. World.", "a. b" + " " * 1_000])
def test_spaces_around_a_text_change_nothing(text: str) -> None:
    assert list_ends(text) == list_ends(text.strip())


@pytest.mark.parametrize("text", ["", " ", "\n", "Write a poem about the sea", "?", "a: b"])
def test_a_text_without_a_passage_has_no_ends(text: str) -> None:
    assert list_ends(text) == ()


def test_a_long_sentence_is_no_bare_request() -> None:
    assert list_ends(f"{'word ' * 30}. {'word ' * 30}.") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Make this shorter, please: {PASSAGE}", "proofreading"),
        (f"{PASSAGE}\n\nTranslate this into French.", "translation"),
        (f"{PASSAGE} Does he need an operation?", "health"),
    ],
)
async def test_a_request_outweighs_the_passage_beside_it(text: str, expected: str) -> None:
    ranking = await EmbeddedStrategy().rank((Utterance("user", text),), PREFERENCES)
    assert ranking.match is not None
    assert ranking.match.name == expected


async def test_what_is_asked_of_a_table_stays_a_question_about_data() -> None:
    table = "| Candidate | Votes | % |\n| Helen Marsh | 14,201 | 41.3 |\n| Tom Idris | 12,880 | 37.5 |"
    text = f"Extract the answer to the question:\n{table}\nWho came second?"
    preferences = [
        Preference("data_analysis", "questions about tables, spreadsheets and charts", ("a/b",)),
        Preference("extraction", "pulling names, dates and facts out of a text", ("a/b",)),
    ]
    ranking = await EmbeddedStrategy().rank((Utterance("user", text),), preferences)
    assert ranking.match is not None
    assert ranking.match.name == "data_analysis"
