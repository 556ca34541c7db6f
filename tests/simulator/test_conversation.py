from plano_agents.simulator.conversation import (
    Conversation,
    Message,
    ToolCall,
    ToolResult,
    digest_conversation,
    render_prompt,
)

QUESTION = Message("user", "How warm is it?")


def build_turn(call_id: str) -> tuple[Message, ...]:
    call = ToolCall(call_id, "measure", {"unit": "celsius", "days": 2})
    return (
        QUESTION,
        Message("assistant", calls=(call,)),
        Message("user", results=(ToolResult(call_id, "warm"),)),
    )


def test_a_longer_conversation_begins_with_the_shorter_ones_prompt() -> None:
    short = Conversation((QUESTION,), system="Be brief.")
    longer = Conversation(build_turn("a"), system="Be brief.")
    assert render_prompt(longer).startswith(render_prompt(short))


def test_ids_that_a_wire_gave_make_no_other_prompt() -> None:
    one, two = (Conversation(build_turn(call_id)) for call_id in ("call_a", "toolu_b"))
    assert digest_conversation(one, 0) == digest_conversation(two, 0)


def test_the_order_of_arguments_makes_no_other_prompt() -> None:
    swapped = ToolCall("a", "measure", {"days": 2, "unit": "celsius"})
    turn = build_turn("a")
    other = (turn[0], Message("assistant", calls=(swapped,)), turn[2])
    assert render_prompt(Conversation(turn)) == render_prompt(Conversation(other))


def test_another_seed_gives_another_digest() -> None:
    conversation = Conversation((QUESTION,))
    assert digest_conversation(conversation, 1) != digest_conversation(conversation, 2)
