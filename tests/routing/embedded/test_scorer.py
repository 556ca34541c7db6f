import pytest

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.scorer import MAX_PHRASES, describe, is_catch_all, split_phrases


def preference(description: str, name: str = "code_generation") -> Preference:
    return Preference(name, description, ("a/b",))


def test_a_preference_is_read_as_one_line() -> None:
    assert describe(preference("new functions")) == "code generation: new functions"
    assert describe(preference("")) == "code generation"


def test_its_phrases_are_its_name_and_the_parts_of_its_description() -> None:
    phrases = split_phrases(preference("functions, scripts and tests; boilerplate or tests"))
    assert phrases == ["code generation", "functions", "scripts", "tests", "boilerplate"]


def test_of_an_endless_description_the_first_phrases_are_read() -> None:
    assert len(split_phrases(preference(",".join(map(str, range(1_000)))))) == MAX_PHRASES


@pytest.mark.parametrize(
    "description",
    ["any request at all", "everything else", "Any kind of request", "the default", "all other questions"],
)
def test_a_description_for_everything_is_recognised(description: str) -> None:
    assert is_catch_all(preference(description, "rest"))


@pytest.mark.parametrize(
    "description", ["review of all the code", "explain any function", "general chat and everyday questions"]
)
def test_one_for_something_is_not(description: str) -> None:
    assert not is_catch_all(preference(description, "rest"))
