import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.config.model import Preference
from plano_agents.errors import UpstreamUnreachableError
from plano_agents.routing.routing_model import (
    BYTES_PER_TOKEN,
    CUT_MARK,
    RoutingModelStrategy,
    UnreadableAnswerError,
    build_prompt,
    parse_answer,
)
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.text import Utterance

CODE = Preference("code generation", "writing new code", ("a/code",))
TALK = Preference("small talk", "greetings and chat", ("a/talk",))
BOTH = (CODE, TALK)
ARCH, ORCHESTRATOR = "local/Arch-Router", "local/Plano-Orchestrator"


def say(*texts: str) -> tuple[Utterance, ...]:
    return tuple(Utterance("user", text) for text in texts)


class Fallback:
    """Always matches small talk."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        return Ranking("embedded", TALK)

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


class Model:
    """Answers what it is told to, or fails."""

    def __init__(self, answer: str | Exception | None) -> None:
        self.answer = answer
        self.prompts: list[str] = []

    async def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


async def rank(answer: str | Exception | None, *, timeout_seconds: float = 30) -> Ranking:
    strategy = RoutingModelStrategy(ARCH, Model(answer), Fallback(), timeout_seconds=timeout_seconds, max_tokens=8192)
    return await strategy.rank(say("Write a function"), BOTH)


@pytest.mark.parametrize(
    ("answer", "route"),
    [
        ('{"route": "code generation"}', CODE),
        ("{'route': 'code generation'}", CODE),
        ('```json\n{"route": "code generation"}\n```', CODE),
        ('{"route": ["small talk", "code generation"]}', TALK),
        ("{'route': ['code generation']}", CODE),
        ('{"route": ["unheard of", "code generation"]}', CODE),
        ("code generation\n", CODE),
        ('{"route": "other"}', None),
        ('{"route": []}', None),
        ('{"route": null}', None),
        ('{"route": "unheard of"}', None),
    ],
)
async def test_both_families_answers_are_read(answer: str, route: Preference | None) -> None:
    ranking = await rank(answer)
    assert (ranking.match, ranking.strategy, ranking.degraded) == (route, ARCH, None)


@pytest.mark.parametrize("answer", ["", "I would say code", "{}", '{"model": "x"}', "secret-prompt"])
async def test_an_answer_that_cannot_be_read_lets_the_fallback_decide(answer: str) -> None:
    ranking = await rank(answer)
    assert (ranking.match, ranking.strategy) == (TALK, "embedded")
    assert ranking.degraded is not None
    assert ranking.degraded.startswith(ARCH)
    assert "secret" not in ranking.degraded


def test_a_model_that_repeats_itself_is_not_read_to_its_end() -> None:
    """Searching takes a time that grows with the square of what is searched."""
    with pytest.raises(UnreadableAnswerError):
        parse_answer('{"route": [' * 100_000 + "]}", [CODE.name])


async def test_a_failure_lets_the_fallback_decide_and_says_why() -> None:
    ranking = await rank(UpstreamUnreachableError("nobody listens"))
    assert (ranking.match, ranking.degraded) == (TALK, f"{ARCH}: nobody listens")


async def test_a_late_answer_lets_the_fallback_decide() -> None:
    ranking = await rank(None, timeout_seconds=0.01)
    assert (ranking.match, ranking.degraded) == (TALK, f"{ARCH}: no answer within 0.01 s")


async def test_a_bug_is_no_outage() -> None:
    with pytest.raises(KeyError):
        await rank(KeyError("bug"))


async def test_without_words_or_preferences_nothing_is_asked() -> None:
    model = Model('{"route": "code generation"}')
    strategy = RoutingModelStrategy(ARCH, model, Fallback(), timeout_seconds=2, max_tokens=8192)
    await strategy.rank((), BOTH)
    await strategy.rank(say("hi"), ())
    assert model.prompts == []


def between(prompt: str, tag: str) -> str:
    return prompt.partition(f"<{tag}>\n")[2].partition(f"\n</{tag}>")[0]


def test_arch_router_gets_one_list_and_orchestrator_a_line_for_each_route() -> None:
    routes = [{"name": each.name, "description": each.description} for each in BOTH]
    arch = build_prompt(ARCH, say("hi"), BOTH, max_tokens=8192)
    lines = build_prompt(ORCHESTRATOR, say("hi"), BOTH, max_tokens=8192)
    # The instructions name the tags too, so what counts stands after the last opening one.
    assert json.loads(between(arch, "routes")) == routes
    assert [json.loads(line) for line in between(lines, "routes").splitlines()] == routes
    assert '{"route": "other"}' in arch
    assert '{"route": "other"}' not in lines


def test_the_conversation_stands_in_it_with_its_roles() -> None:
    conversation = (Utterance("user", "one"), Utterance("assistant", "two"))
    prompt = build_prompt(ARCH, conversation, BOTH, max_tokens=8192)
    assert json.loads(between(prompt, "conversation")) == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
    ]


def test_what_looks_like_a_placeholder_is_left_alone() -> None:
    preference = Preference("x", "{conversation} {rules} \\1", ("a/b",))
    prompt = build_prompt(ARCH, say("{routes}"), (preference,), max_tokens=8192)
    assert json.loads(between(prompt, "routes"))[0]["description"] == preference.description
    assert json.loads(between(prompt, "conversation"))[0]["content"] == "{routes}"


def test_beyond_the_budget_the_latest_stay_and_the_oldest_is_cut_in_its_middle() -> None:
    conversation = say("a" * 40_000, "HEAD" + "b" * 40_000 + "TAIL", "c" * 400)
    prompt = build_prompt(ARCH, conversation, BOTH, max_tokens=4_096)
    first, last = (said["content"] for said in json.loads(between(prompt, "conversation")))
    assert last == "c" * 400
    assert (first[:4], first[-4:], CUT_MARK in first) == ("HEAD", "TAIL", True)
    names_and_quotes = 200
    assert len(prompt.encode()) <= 4_096 * BYTES_PER_TOKEN + names_and_quotes


@given(st.text(min_size=1, max_size=2_000), st.integers(1, 600))
def test_something_of_the_latest_message_is_always_sent(text: str, max_tokens: int) -> None:
    prompt = build_prompt(ARCH, say("old", text), BOTH, max_tokens=max_tokens)
    assert json.loads(between(prompt, "conversation"))


def test_an_assistants_message_beyond_the_budget_is_left_out() -> None:
    conversation = (Utterance("assistant", "a" * 40_000), Utterance("user", "hi"))
    prompt = build_prompt(ARCH, conversation, BOTH, max_tokens=2_000)
    assert [said["content"] for said in json.loads(between(prompt, "conversation"))] == ["hi"]


@given(st.text(max_size=300))
def test_any_answer_is_read_or_refused(answer: str) -> None:
    try:
        found = parse_answer(answer, ["a", "b"])
    except UnreadableAnswerError:
        return
    assert found in {"a", "b", None}
