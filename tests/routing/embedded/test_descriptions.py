"""Preferences as people describe them, and as they are read."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.descriptions import MAX_PHRASES, is_catch_all, list_texts, read_description


def test_a_preference_is_read_as_one_line() -> None:
    assert read_description("code_review", "new functions").line == "code review: new functions"
    assert read_description("code_review", "").line == "code review"
    assert read_description("image_generation", "posters").line == "image: posters"


def test_its_phrases_are_its_name_and_the_parts_of_its_description() -> None:
    read = read_description("code_review", "new functions, shell scripts and small tests; shell scripts or docs")
    assert read.phrases == (
        "code review",
        "new functions",
        "shell scripts",
        "small tests",
        "code review: docs",
    )


def test_of_an_endless_description_the_first_phrases_are_read() -> None:
    assert len(read_description("a_name", ",".join(f"word {n}" for n in range(1_000))).phrases) == MAX_PHRASES


@pytest.mark.parametrize(
    ("description", "line"),
    [
        ("Route here when the user wants a poem", "a poem"),
        ("Use this for contracts and leases", "contracts and leases"),
        ("Send requests about flights to this model", "flights"),
        ("questions related to cooking", "cooking"),
        ("The user asks you to translate a text", "translate a text"),
        ("anything to do with code", "code"),
        ("Scripts or boilerplate based on user prompts or requirements", "Scripts or boilerplate"),
        ("generating new code, creating tests", "code, creating tests"),
        ("user guides and manuals", "user guides and manuals"),
        ("useful tips for the home", "useful tips for the home"),
    ],
)
def test_what_instructs_a_router_is_taken_off_a_description(description: str, line: str) -> None:
    assert read_description("route_1", description).line == line


@pytest.mark.parametrize(
    ("description", "line", "excluded"),
    [
        ("writing code, not for explaining it", "writing code", ("explaining it",)),
        ("contracts (not tax), leases", "contracts, leases", ("tax",)),
        ("code. Do not use this for SQL or charts. Scripts", "code, Scripts", ("SQL", "charts")),
        ("any animal except dogs", "any animal", ("dogs",)),
        ("files that are not readable", "files that are not readable", ()),
    ],
)
def test_a_negation_says_what_a_preference_is_not_for(description: str, line: str, excluded: tuple[str, ...]) -> None:
    read = read_description("route_1", description)
    assert (read.line, read.excluded) == (line, excluded)


@pytest.mark.parametrize("name", ["route_1", "model_a", "x", "tier 2", "option_b", "7"])
def test_a_name_without_meaning_is_not_read(name: str) -> None:
    assert read_description(name, "poems").line == "poems"
    assert read_description(name, "").line


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("rest", "any request at all"),
        ("rest", "everything else"),
        ("rest", "Any kind of request"),
        ("rest", "the default route"),
        ("rest", "all other questions"),
        ("rest", "anything that does not fit the others"),
        ("rest", "requests that none of the others match"),
        ("chat", "small talk, and everything else"),
        ("default", ""),
        ("other", "Use this for all requests"),
        ("fallback", "the large model"),
    ],
)
def test_a_name_or_a_phrase_that_says_nothing_else_makes_a_catch_all(name: str, description: str) -> None:
    assert is_catch_all(Preference(name, description, ("a/b",)))


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("law", "any question about the law"),
        ("loans", "loan default, arrears"),
        ("devices", "default settings of the device"),
        ("code", "review of all the code"),
        ("code", "explain any function"),
        ("code", "everything to do with programming"),
        ("chat", "general chat and everyday questions"),
        ("cooking", "whatever has to do with food"),
        ("travel", "all requests on travel"),
        ("other_languages", "translating from other languages"),
    ],
)
def test_a_word_alone_makes_none(name: str, description: str) -> None:
    assert not is_catch_all(Preference(name, description, ("a/b",)))


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_preference_has_a_line_and_a_phrase(name: str, description: str) -> None:
    read = read_description(name or "n", description)
    assert read.line
    assert read.phrases
    assert all(list_texts(Preference(name or "n", description, ("a/b",))))


@pytest.mark.parametrize(
    "text", ["not for " * 20_000, "any request " * 20_000, "use this for " * 20_000, "(a, " * 50_000]
)
def test_a_huge_description_takes_no_time_that_others_would_feel(text: str) -> None:
    began = time.process_time()
    read_description("n", text)
    assert time.process_time() - began < 0.5
