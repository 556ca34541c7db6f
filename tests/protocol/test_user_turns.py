from plano_agents.protocol.openai_chat import HeadMessage, HeadPart
from plano_agents.protocol.user_turns import read_user_turns


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
