"""Everyday prompts and the shipped ``config.yaml``: what a person who tries it would expect."""

from pathlib import Path

import pytest
import yaml

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.strategy import EmbeddedStrategy
from plano_agents.routing.text import Utterance

CODE, THINK, NONE = "code_generation", "complex_reasoning", None


@pytest.fixture(scope="module")
def shipped() -> list[Preference]:
    """The preferences of the shipped file."""
    config = yaml.safe_load((Path(__file__).parents[3] / "config.yaml").read_text())
    return [Preference(each["name"], each["description"], ("a/b",)) for each in config["routing_preferences"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Generate a list of baby names", NONE),
        ("Generate a workout plan for beginners", NONE),
        ("Create a study timetable for my final exams", NONE),
        ("Generate quiz questions about the Roman Empire", NONE),
        ("Put together a shopping list for a barbecue with ten people", NONE),
        ("Generate a tagline for my bakery", NONE),
        ("Generate an elevator pitch for a bookshop", NONE),
        ("What is the capital of France?", NONE),
        ("hi", NONE),
        ("can you shorten it", NONE),
        ('Wie sagt man "cheese" auf Französisch?', NONE),
        ("Translate this into German: the function returns nothing", NONE),
        ("Write a Python function that removes duplicates from a list", CODE),
        ("Give me the database schema for a booking system", CODE),
        ("Create a React component for a date picker", CODE),
        ("fix the failing test in the parser", CODE),
        ("add tests for the discount calculation", CODE),
        ("rename getUser to fetchUser in the whole project", CODE),
        ("Compare PostgreSQL and MongoDB", THINK),
        ("Should we move to microservices now or wait a year?", THINK),
        ("A train leaves at 9:00 and covers 240 km at 80 km/h. When does it arrive?", THINK),
        ("Anna has 12 apples, gives 5 to Ben and buys 3 more. How many does she have?", THINK),
    ],
)
async def test_an_everyday_prompt_goes_where_a_person_expects(
    shipped: list[Preference], text: str, expected: str | None
) -> None:
    ranking = await EmbeddedStrategy().rank((Utterance("user", text),), shipped)
    assert (ranking.match.name if ranking.match is not None else None) == expected
