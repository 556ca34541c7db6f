from dataclasses import dataclass

import pytest

from plano_agents.routing.text import MAX_CHARS, MAX_MESSAGE_CHARS, MAX_MESSAGES, read_conversation


@dataclass(frozen=True)
class Part:
    text: str | None


@dataclass(frozen=True)
class Message:
    role: str
    content: str | tuple[Part, ...] | None


def test_what_users_and_assistants_said_is_read_in_order() -> None:
    assert read_conversation([Message("user", "one"), Message("assistant", "two")]) == ("one", "two")


@pytest.mark.parametrize("role", ["system", "developer", "tool", "function", "invented"])
def test_other_roles_are_not_read(role: str) -> None:
    assert read_conversation([Message(role, "secret"), Message("user", "hi")]) == ("hi",)


@pytest.mark.parametrize("content", [None, "", "  \n", (), (Part(None),)])
def test_a_message_without_text_is_passed_over(content: str | tuple[Part, ...] | None) -> None:
    assert read_conversation([Message("assistant", content)]) == ()


def test_text_parts_are_joined_and_others_passed_over() -> None:
    assert read_conversation([Message("user", (Part("a"), Part(None), Part("b")))]) == ("a\nb",)


def test_the_last_sixteen_are_read() -> None:
    texts = read_conversation([Message("user", str(number)) for number in range(40)])
    assert texts == tuple(str(number) for number in range(40 - MAX_MESSAGES, 40))


def test_a_long_message_keeps_its_head_and_its_tail() -> None:
    (text,) = read_conversation([Message("user", "HEAD" + "x" * 100_000 + "TAIL")])
    assert (text[:4], text[-4:], len(text)) == ("HEAD", "TAIL", MAX_MESSAGE_CHARS)


def test_the_budget_is_spent_on_the_latest() -> None:
    texts = read_conversation([Message("user", letter * MAX_MESSAGE_CHARS) for letter in "abcdefgh"])
    assert [text[0] for text in texts] == ["e", "f", "g", "h"]
    assert sum(map(len, texts)) == MAX_CHARS
