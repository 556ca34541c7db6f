"""The strategy with the weights that ship: what users may expect of it, and how it works through many requests."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from plano_agents.config.model import Preference
from plano_agents.routing.embedded.engine import Engine, load_engine
from plano_agents.routing.embedded.strategy import EmbeddedStrategy
from plano_agents.routing.strategy import Question
from plano_agents.routing.text import Utterance
from tests.patience import PATIENCE_SECONDS

CODE = Preference("code_generation", "generating new code snippets, functions or boilerplate", ("a/code",))
REASONING = Preference(
    "complex_reasoning", "deep analysis, mathematical problem solving and logical reasoning", ("a/think",)
)
STORIES = Preference("creative_writing", "stories, poems and other creative content", ("a/write",))
FLIGHTS = Preference("flights", "search and book airline tickets", ("a/fly",))
HOTELS = Preference("hotels", "find and reserve rooms", ("a/stay",))
EVERYTHING = Preference("everything", "any request at all", ("a/all",))
ALL = (CODE, REASONING, STORIES)


def say(*texts: str) -> tuple[Utterance, ...]:
    return tuple(Utterance("user", text) for text in texts)


async def route(*texts: str, preferences: tuple[Preference, ...] = ALL, threshold: float = 0.5) -> str | None:
    ranking = await EmbeddedStrategy(threshold).rank(say(*texts), preferences)
    return ranking.match.name if ranking.match is not None else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a Python function that parses ISO dates", "code_generation"),
        ("implement a thread-safe queue in Rust", "code_generation"),
        ("Compare both options, weigh the trade-offs and decide", "complex_reasoning"),
        ("If 3 pens cost 4 dollars, what do 12 pens cost?", "complex_reasoning"),
        ("Write a poem about the sea", "creative_writing"),
        ("Schreibe ein Gedicht über das Meer", "creative_writing"),
        ("Escribe una función que ordene una lista", "code_generation"),
        ("用Python写一个函数", "code_generation"),
        ("Реши уравнение x^2 = 9", "complex_reasoning"),
        ("ok", None),
        ("turn off the lights in the kitchen", None),
        ("what's the weather like tomorrow", None),
    ],
)
async def test_a_plain_request_finds_its_preference(text: str, expected: str | None) -> None:
    assert await route(text) == expected


@pytest.mark.parametrize(
    ("general", "expected"),
    [
        (Preference("general_chat", "casual talk and everyday questions", ("a/b",)), "general_chat"),
        (Preference("trivia", "short factual questions with one right answer", ("a/b",)), None),
    ],
)
async def test_a_preference_for_everyday_questions_alone_takes_one_about_a_subject(
    general: Preference, expected: str | None
) -> None:
    assert await route("I forgot my goggles in the changing room", preferences=(CODE, general)) == expected


@pytest.mark.parametrize("text", ["hi", "thanks a lot!", "ok", "good morning", "Danke schön", "谢谢"])
@pytest.mark.parametrize(
    "other", [Preference("mails", "drafting emails, summaries, announcements", ("a/mail",)), FLIGHTS]
)
async def test_a_greeting_decides_nothing(text: str, other: Preference) -> None:
    assert await route(text, preferences=(*ALL, other)) is None


async def test_a_greeting_may_match_what_is_for_greetings_or_for_everything() -> None:
    chat = Preference("small_talk", "greetings and casual conversation", ("a/chat",))
    assert await route("hello there", preferences=(*ALL, chat)) == "small_talk"
    assert await route("hello there", preferences=(*ALL, EVERYTHING)) == "everything"


async def test_a_greeting_before_or_after_a_request_changes_nothing() -> None:
    assert await route("hi", "Write a Python function that adds numbers") == "code_generation"
    assert await route("Write a Python function that adds numbers", "thanks!") == "code_generation"


async def test_a_word_makes_no_preference_one_for_everything() -> None:
    law = Preference("law", "any question about the law", ("a/law",))
    loans = Preference("loans", "loan default, arrears", ("a/loan",))
    devices = Preference("devices", "default settings of the device", ("a/device",))
    assert await route("turn off the lights in the kitchen", preferences=(law, loans)) is None
    assert await route("Write a poem about the sea", preferences=(law, loans, devices)) is None


async def test_what_a_preference_is_not_for_goes_elsewhere() -> None:
    written = Preference("route_1", "Use this for prose of any kind, not for poems or songs", ("a/1",))
    verse = Preference("route_2", "poems and songs", ("a/2",))
    assert await route("Write a poem about the sea", preferences=(written, verse)) == "route_2"


async def test_preferences_about_subjects_are_told_apart() -> None:
    preferences = (FLIGHTS, HOTELS)
    assert await route("i need to get to Lisbon, what does a plane ticket cost", preferences=preferences) == "flights"
    assert await route("somewhere to sleep for two nights", preferences=preferences) == "hotels"


async def test_the_latest_message_counts_most() -> None:
    analysis, code = "Weigh the evidence and compare both options.", "Now write the Python function."
    assert (await route(code, analysis), await route(analysis, code)) == (
        "complex_reasoning",
        "code_generation",
    )


async def test_an_assistants_words_weigh_less_than_a_users() -> None:
    """The same words change the topic where a user says them, and do not where an agent says what it does next."""
    wish = Utterance("user", "Weigh the trade-offs between both designs, step by step, and decide.")
    words = "Now I write the Python function."
    said_by = {
        role: await EmbeddedStrategy(0.5).rank((wish, Utterance(role, words)), ALL) for role in ("user", "assistant")
    }
    assert {role: ranking.match for role, ranking in said_by.items()} == {"user": CODE, "assistant": REASONING}


async def test_a_message_that_fits_nothing_keeps_the_topic() -> None:
    assert await route("Write a Python function that adds numbers", "yes please") == "code_generation"


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


async def test_examples_bring_in_what_a_description_does_not_say() -> None:
    vague = Preference("lane_two", "the second lane", ("a/2",))
    taught = Preference(
        "lane_two", "the second lane", ("a/2",), examples=("my parcel is late", "where is my delivery?")
    )
    request = "the package has not been delivered yet"
    assert await route(request, preferences=(CODE, vague)) is None
    assert await route(request, preferences=(CODE, taught)) == "lane_two"


async def test_the_threshold_decides_what_matches() -> None:
    text = "Write a poem about the sea"
    ranking = await EmbeddedStrategy().rank(say(text), ALL)
    best = max(each.score or 0 for each in ranking.scored)
    assert await route(text, threshold=best - 0.001) == "creative_writing"
    assert await route(text, threshold=best) is None


async def test_a_ranking_tells_every_preferences_score() -> None:
    ranking = await EmbeddedStrategy(0.4).rank(say("Write a poem"), ALL)
    assert [each.preference for each in ranking.scored] == list(ALL)
    assert all(each.score is not None and 0 <= each.score <= 1 for each in ranking.scored)
    assert (ranking.strategy, ranking.threshold, ranking.match) == ("embedded", 0.4, STORIES)


async def test_without_texts_or_preferences_nothing_matches() -> None:
    assert await route() is None
    assert await route("Write code", preferences=()) is None


class Watched(Engine):
    """An engine that waits to be let go, and notes what it is asked at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.started = threading.Event()
        self.go = threading.Event()

    def score(self, questions: Sequence[Question]) -> list[list[float]]:
        self.started.set()
        self.go.wait(PATIENCE_SECONDS)
        self.sizes.append(len(questions))
        self.threads.add(threading.get_ident())
        return [[float(len(question.conversation[0].text))] for question in questions]


async def test_requests_that_come_while_one_is_computed_are_computed_together() -> None:
    engine = Watched()
    strategy = EmbeddedStrategy(load=lambda: engine)
    first = asyncio.create_task(strategy.rank(say("a"), (CODE,)))
    await asyncio.to_thread(engine.started.wait, PATIENCE_SECONDS)
    others = [asyncio.create_task(strategy.rank(say("a" * size), (CODE,))) for size in (2, 3, 4)]
    await asyncio.sleep(0)
    engine.go.set()
    rankings = await asyncio.gather(first, *others)
    assert [ranking.scored[0].score for ranking in rankings] == [1, 2, 3, 4]
    assert engine.sizes == [1, 3]
    assert threading.get_ident() not in engine.threads


async def test_a_text_that_was_ranked_before_is_ranked_at_once() -> None:
    """In the same step of the event loop, by no thread, and for the same preferences only."""
    engine = Watched()
    engine.go.set()
    strategy = EmbeddedStrategy(load=lambda: engine)
    first = await strategy.rank(say("abc"), (CODE,))
    again = strategy.rank(say("abc"), (CODE,))
    with pytest.raises(StopIteration) as done:
        again.send(None)
    assert done.value.value == first
    assert engine.sizes == [1]
    assert strategy.recall(say("abc"), (CODE,)) == first
    assert strategy.recall(say("abc"), (STORIES,)) is None
    assert (await strategy.rank(say("abc"), (STORIES,))).match == STORIES
    assert engine.sizes == [1, 1]


class Noting(Watched):
    """Notes the texts of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[str]] = []

    def score(self, questions: Sequence[Question]) -> list[list[float]]:
        self.steps.append([" ".join(said.text for said in question.conversation) for question in questions])
        return super().score(questions)


async def test_a_conversation_is_prepared_a_message_at_a_time_and_a_request_goes_before_the_rest_of_it() -> None:
    engine = Noting()
    strategy = EmbeddedStrategy(load=lambda: engine)
    preparing = asyncio.create_task(strategy.prepare(say("a", "b", "c"), (CODE,)))
    await asyncio.to_thread(engine.started.wait, PATIENCE_SECONDS)
    request = asyncio.create_task(strategy.rank(say("x", "y"), (CODE,)))
    await asyncio.sleep(0)
    engine.go.set()
    await asyncio.gather(preparing, request)
    assert engine.steps == [["a"], ["x y"], ["b"], ["c"]]


async def test_what_was_ranked_before_needs_no_preparing() -> None:
    engine = Noting()
    engine.go.set()
    strategy = EmbeddedStrategy(load=lambda: engine)
    await strategy.rank(say("a", "b"), (CODE,))
    await strategy.prepare(say("a", "b"), (CODE,))
    await strategy.prepare(say("a", "b"), ())
    assert engine.steps == [["a b"]]


async def test_a_request_that_is_given_up_holds_up_no_other() -> None:
    engine = Watched()
    strategy = EmbeddedStrategy(load=lambda: engine)
    first = asyncio.create_task(strategy.rank(say("a"), (CODE,)))
    await asyncio.to_thread(engine.started.wait, PATIENCE_SECONDS)
    second = asyncio.create_task(strategy.rank(say("bb"), (CODE,)))
    await asyncio.sleep(0)
    first.cancel()
    engine.go.set()
    assert (await second).scored[0].score == 2


async def test_a_failure_reaches_those_who_wait_and_ends_with_them() -> None:
    class Failing(Watched):
        def score(self, questions: Sequence[Question]) -> list[list[float]]:
            if questions[0].conversation[0].text == "bad":
                raise RuntimeError("broken")
            return super().score(questions)

    engine = Failing()
    engine.go.set()
    strategy = EmbeddedStrategy(load=lambda: engine)
    with pytest.raises(RuntimeError, match="broken"):
        await strategy.rank(say("bad"), (CODE,))
    assert (await strategy.rank(say("ok"), (CODE,))).scored[0].score == 2


def test_scores_are_the_same_alone_and_in_a_batch() -> None:
    engine = load_engine()
    questions = [Question(say(text), ALL) for text in ("Write a poem", "Write a function", "hello")]
    together = engine.score(questions)
    assert together == [pytest.approx(engine.score([question])[0], abs=1e-4) for question in questions]


def test_nothing_of_it_loads_before_it_is_needed() -> None:
    program = (
        "import sys; from plano_agents.router.app import Router; import plano_agents.cli.up; "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_preference_is_kept_prepared_while_its_batch_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plano_agents.routing.embedded.engine.TARGETS", 2)
    engine = load_engine.__wrapped__()  # one that has seen no preference
    engine.score([Question(say("write a poem"), (CODE, REASONING))])
    scores = engine.score(
        [Question(say("write a poem"), (STORIES, FLIGHTS)), Question(say("write a poem"), (CODE, REASONING))]
    )
    assert [len(each) for each in scores] == [2, 2]
