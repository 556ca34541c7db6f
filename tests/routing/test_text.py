import time
from dataclasses import dataclass

import pytest

from plano_agents.protocol.envelopes import ENVELOPES
from plano_agents.routing.text import (
    MAX_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_MESSAGES,
    Utterance,
    read_conversation,
)


@dataclass(frozen=True)
class Part:
    text: str | None


@dataclass(frozen=True)
class Message:
    role: str
    content: str | tuple[Part, ...] | None


def read_texts(*messages: Message, user_only: bool = False) -> list[str]:
    return [said.text for said in read_conversation(messages, user_only=user_only)]


def test_what_users_and_assistants_said_is_read_in_order() -> None:
    said = (Utterance("user", "one"), Utterance("assistant", "two"))
    assert read_conversation([Message("user", "one"), Message("assistant", "two")]) == said


def test_of_users_only_nothing_else_is_read() -> None:
    messages = [Message("user", "one"), Message("assistant", "two"), Message("user", "three")]
    assert read_texts(*messages, user_only=True) == ["one", "three"]


@pytest.mark.parametrize("role", ["system", "developer", "tool", "function", "invented"])
def test_other_roles_are_not_read(role: str) -> None:
    assert read_texts(Message(role, "secret"), Message("user", "hi")) == ["hi"]


@pytest.mark.parametrize("content", [None, "", "  \n", (), (Part(None),)])
def test_a_message_without_text_is_passed_over(content: str | tuple[Part, ...] | None) -> None:
    assert read_texts(Message("assistant", content)) == []


def test_text_parts_are_joined_and_others_passed_over() -> None:
    assert read_texts(Message("user", (Part("a"), Part(None), Part("b")))) == ["a\nb"]


@pytest.mark.parametrize("tag", ENVELOPES)
def test_what_a_harness_wrote_is_taken_out(tag: str) -> None:
    wrapped = f'<{tag} id="1">be\nbrief</{tag}>'
    assert read_texts(Message("user", f"{wrapped} Write a poem {wrapped}")) == ["Write a poem"]


def test_a_message_of_nothing_but_envelopes_is_not_read() -> None:
    reminder = "<system-reminder>tests failed</system-reminder>"
    assert read_texts(Message("user", "Fix it"), Message("user", reminder), user_only=True) == ["Fix it"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a<system-reminder>b<system-reminder>c</system-reminder>d</system-reminder>e", "ae"),
        ("a<system-reminder>b<bash-input>c</system-reminder>d", "ad"),
        ("a<system-reminder>never closed", "a<system-reminder>never closed"),
        ("a</system-reminder>b", "a</system-reminder>b"),
        ("if a<b and c>d: <p>x</p>", "if a<b and c>d: <p>x</p>"),
    ],
)
def test_only_whole_envelopes_are_taken_out(text: str, left: str) -> None:
    assert read_texts(Message("user", text)) == [left]


def test_many_unclosed_envelopes_take_no_time_that_others_would_feel() -> None:
    began = time.process_time()
    read_texts(Message("user", "<system-reminder>" * 100_000 + "</bash-input>" * 100_000))
    assert time.process_time() - began < 1


def test_the_last_sixteen_are_read() -> None:
    texts = read_texts(*(Message("user", str(number)) for number in range(40)))
    assert texts == [str(number) for number in range(40 - MAX_MESSAGES, 40)]


def test_a_long_message_keeps_its_head_and_its_tail() -> None:
    (text,) = read_texts(Message("user", "HEAD" + "x" * 100_000 + "TAIL"))
    assert (text[:4], text[-4:], len(text)) == ("HEAD", "TAIL", MAX_MESSAGE_CHARS)


def test_the_budget_is_spent_on_the_latest() -> None:
    texts = read_texts(*(Message("user", letter * MAX_MESSAGE_CHARS) for letter in "abcdefgh"))
    assert [text[0] for text in texts] == ["e", "f", "g", "h"]
    assert sum(map(len, texts)) == MAX_CHARS


def test_the_oldest_message_that_is_read_is_cut_to_what_is_left_of_the_budget() -> None:
    texts = read_texts(*(Message("user", letter * 3_000) for letter in "abcdefgh"))
    assert [(text[0], len(text)) for text in texts] == [("c", 1_000), *((letter, 3_000) for letter in "defgh")]
    assert MAX_CHARS == 16_000
