import pytest

from plano_agents.simulator.agent.reply import Reply
from plano_agents.simulator.conversation import Conversation, ToolCall
from plano_agents.simulator.prompt_cache import PromptUsage
from plano_agents.simulator.tokens import count_tokens
from plano_agents.simulator.wire.exchange import Answer, Request, Thoughts, build_answer

TEXT = "one two three four five six seven eight"
CALLS = (ToolCall("1", "f", {"x": 1}), ToolCall("2", "f", {"x": 2}))


def answer(max_tokens: int | None = None, stop: tuple[str, ...] = (), calls: tuple[ToolCall, ...] = ()) -> Answer:
    request = Request("m", Conversation(()), stream=False, max_tokens=max_tokens, stop=stop)
    return build_answer(Reply("id", TEXT, calls), request, PromptUsage(0, 0, 0), 0)


def test_an_answer_that_fits_is_whole() -> None:
    assert (answer(8).text, answer(8).finish) == (TEXT, "stop")


def test_an_answer_is_cut_at_max_tokens() -> None:
    cut = answer(3)
    assert (cut.text, cut.finish, cut.completion_tokens) == ("one two three", "length", 3)


def test_an_answer_with_calls_ends_for_them() -> None:
    assert (answer(calls=CALLS).calls, answer(calls=CALLS).finish) == (CALLS, "tool_calls")


def test_a_call_that_does_not_fit_is_left_out() -> None:
    one = count_tokens(TEXT) + count_tokens("f") + count_tokens('{"x": 1}')
    cut = answer(one, calls=CALLS)
    assert (cut.calls, cut.finish) == (CALLS[:1], "length")


def test_the_first_stop_sequence_ends_the_answer() -> None:
    stopped = answer(stop=("six", " three"), calls=CALLS)
    assert (stopped.text, stopped.finish, stopped.stop_sequence) == ("one two", "stop_sequence", " three")
    assert stopped.calls == ()


def think(thoughts: Thoughts, max_tokens: int | None = None) -> Answer:
    request = Request("m", Conversation(()), stream=False, max_tokens=max_tokens, thoughts=thoughts)
    return build_answer(Reply("id", TEXT, (), "two words"), request, PromptUsage(0, 0, 0), 0)


@pytest.mark.parametrize(
    ("thoughts", "thought", "tokens"), [("none", None, 8), ("omitted", "", 10), ("shown", "two words", 10)]
)
def test_thoughts_count_whether_they_are_shown_or_not(thoughts: Thoughts, thought: str | None, tokens: int) -> None:
    assert (think(thoughts).thought, think(thoughts).completion_tokens) == (thought, tokens)


def test_thoughts_come_out_of_max_tokens_first() -> None:
    assert (think("shown", 5).text, think("shown", 5).finish) == ("one two three", "length")
    assert (think("shown", 1).thought, think("shown", 1).text) == ("two", "")
