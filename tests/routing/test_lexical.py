import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Preference
from plano_agents.routing.lexical import LexicalStrategy

CODE = Preference("code_generation", "generating new code snippets, functions or boilerplate", ("a/code",))
REASONING = Preference(
    "complex_reasoning", "deep analysis, mathematical problem solving and logical reasoning", ("a/think",)
)
STORIES = Preference("creative_writing", "stories, poems and other creative content", ("a/write",))
EVERYTHING = Preference("everything", "any request at all", ("a/all",))
ALL = (CODE, REASONING, STORIES)


async def route(*texts: str, preferences: tuple[Preference, ...] = ALL) -> str | None:
    match = await LexicalStrategy().match(texts, preferences)
    return match.preference.name if match is not None else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a Python function that parses ISO dates", "code_generation"),
        ("CREATE TABLE orders (id bigint PRIMARY KEY);", "code_generation"),
        ("Draft the DDL of a schema for orders and products", "code_generation"),
        ("Compare both options, weigh the trade-offs and decide", "complex_reasoning"),
        ("Prove that the sum of two even numbers is even", "complex_reasoning"),
        ("Write a poem about the sea", "creative_writing"),
        ("ok", None),
        ("Der Hund schläft im Garten", None),
    ],
)
async def test_a_plain_request_finds_its_preference(text: str, expected: str | None) -> None:
    assert await route(text) == expected


async def test_the_latest_message_counts_most() -> None:
    analysis, code = "Weigh the evidence and compare both options.", "Now write the Python function."
    assert (await route(code, analysis), await route(analysis, code)) == (
        "complex_reasoning",
        "code_generation",
    )


async def test_swapped_descriptions_swap_the_match() -> None:
    swapped = (
        Preference("one", REASONING.description, ("a/1",)),
        Preference("two", CODE.description, ("a/2",)),
    )
    assert await route("Write a Python function", preferences=swapped) == "two"
    assert await route("Weigh the trade-offs and decide", preferences=swapped) == "one"


async def test_a_preference_for_everything_takes_what_nothing_else_does() -> None:
    assert await route("ok", preferences=(*ALL, EVERYTHING)) == "everything"
    assert await route("Write a Python function", preferences=(*ALL, EVERYTHING)) == "code_generation"


async def test_without_texts_or_preferences_nothing_matches() -> None:
    assert await route() is None
    assert await route("Write code", preferences=()) is None


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.lists(st.text(), min_size=1, max_size=4))
def test_scores_lie_between_zero_and_one(texts: list[str], descriptions: list[str]) -> None:
    preferences = [Preference(f"p{number}", text, ("a/b",)) for number, text in enumerate(descriptions)]
    assert all(0 <= score <= 1 for score in LexicalStrategy().score(texts, preferences))


@pytest.mark.parametrize("text", ["a" + "\n" * 3_998 + "a", "a" + " " * 3_998 + "a", "```" * 1_333])
def test_the_longest_texts_of_any_shape_take_no_time_that_others_would_feel(text: str) -> None:
    letters = string.ascii_lowercase
    description = " ".join(a + b + c for a in letters for b in letters for c in letters)[:4_000]
    preferences = [Preference(f"p{number}", description, ("a/b",)) for number in range(64)]
    began = time.process_time()
    LexicalStrategy().score([text] * 4, preferences)
    assert time.process_time() - began < 0.5
