import pytest

from plano_agents.protocol.openai_chat import HeadMessage, HeadPart
from plano_agents.protocol.user_turns import ends_with_user, read_user_turns


def test_only_users_words_are_read() -> None:
    messages = [
        HeadMessage("system", "be brief"),
        HeadMessage("user", "first"),
        HeadMessage("assistant", "answer"),
        HeadMessage("tool", "result"),
        HeadMessage("user", (HeadPart("tool_result"),)),
        HeadMessage("user", "<system-reminder>x</system-reminder>  "),
        HeadMessage("user", (HeadPart("text", "second"), HeadPart("image"), HeadPart("text", "part"))),
        HeadMessage("user", None),
    ]
    assert read_user_turns(messages) == ["first", "second\npart"]


def test_an_image_alone_is_a_turn_without_words() -> None:
    messages = [user("first"), user(HeadPart("image")), user(HeadPart("tool_result")), user(REMINDER), user(text(""))]
    assert read_user_turns(messages, wordless=True) == ["first", ""]
    assert read_user_turns(messages) == ["first"]


def user(*content: HeadPart | str) -> HeadMessage:
    return HeadMessage("user", content[0] if isinstance(content[0], str) else content)  # type: ignore[arg-type]


def text(words: str) -> HeadPart:
    return HeadPart("text", words)


SYSTEM, ASKED, ANSWERED = HeadMessage("system", "be brief"), user("first"), HeadMessage("assistant", "answer")
REMINDER = "<system-reminder>x</system-reminder>"


@pytest.mark.parametrize(
    "ending",
    [
        [ASKED],
        [user(REMINDER + "first")],
        [ASKED, user(REMINDER)],
        [ASKED, SYSTEM],
        [user(HeadPart("image"))],
        [user(text(REMINDER), HeadPart("input_image"))],
    ],
)
def test_a_conversation_ends_with_a_users_own_message(ending: list[HeadMessage]) -> None:
    assert ends_with_user(ending)
    assert ends_with_user([SYSTEM, ASKED, ANSWERED, HeadMessage("tool", "18"), ANSWERED, *ending])


@pytest.mark.parametrize(
    "ending",
    [
        [],
        [ANSWERED],
        [SYSTEM],
        [HeadMessage("tool", "18 degrees")],
        [HeadMessage("function", "18 degrees")],
        [HeadMessage("tool", "18"), HeadMessage("tool", "20")],
        [user(HeadPart("tool_result"))],
        [user(HeadPart("tool_result"), text(REMINDER))],
        [user(HeadPart("tool_result"), text("and hurry"))],
        [HeadMessage("tool", "18"), user("and hurry")],
        [user(REMINDER)],
        [user("<system-reminder>the task list is empty")],
        [user("<user-prompt-submit-hook>Success</user-prompt-submit-hook>")],
        [user(" ")],
        [user("<tool_result>18</tool_result>")],
        [user("Observation:\n18 degrees")],
        [HeadMessage("user", None)],
    ],
)
def test_a_step_of_a_tool_loop_and_a_harness_reminder_are_no_users_messages(ending: list[HeadMessage]) -> None:
    assert not ends_with_user([SYSTEM, ASKED, ANSWERED, *ending])
