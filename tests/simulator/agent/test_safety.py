"""Behind a real agent the simulated one has no effects, and comes to an end."""

from collections.abc import Callable

import pytest
from pydantic import JsonValue

from plano_agents.simulator.agent.reply import Reply, UncallableError, build_reply
from plano_agents.simulator.conversation import Conversation, Message, Tool, ToolCall, ToolChoice, ToolResult

BuildTool = Callable[[str, str, dict[str, JsonValue]], Tool]
TEXT: JsonValue = {"type": "string"}


@pytest.fixture
def bash(build_tool: BuildTool) -> Tool:
    return build_tool("Bash", "Executes a bash command and returns its output.", {"command": TEXT})


@pytest.fixture
def write(build_tool: BuildTool) -> Tool:
    return build_tool("Write", "Writes a file.", {"file_path": TEXT, "content": TEXT})


@pytest.fixture
def read(build_tool: BuildTool) -> Tool:
    return build_tool("Read", "Reads a file from the local filesystem.", {"file_path": TEXT})


@pytest.fixture
def search(build_tool: BuildTool) -> Tool:
    return build_tool("search", "Search the documentation.", {"query": TEXT})


def ask(*tools: Tool, text: str, act: bool = False, choice: str = "auto") -> Reply:
    demand = ToolChoice("auto") if choice == "auto" else ToolChoice("named", choice)
    if choice == "required":
        demand = ToolChoice("required")
    return build_reply(Conversation((Message("user", text),), tools=tools, choice=demand), "m", act=act)


def test_a_command_is_not_run(bash: Tool) -> None:
    assert ask(bash, text="Run the command `rm -rf build` in bash").calls == ()


def test_the_answer_says_which_tool_was_left_alone_and_what_would_change_that(bash: Tool) -> None:
    text = ask(bash, text="Run the command `rm -rf build` in bash").text
    assert "Simulated models do not call tools that act (Bash)" in text
    assert "--act" in text


def test_a_command_that_the_user_quotes_is_run_where_acting_is_asked_for(bash: Tool) -> None:
    calls = ask(bash, text="Run the command `ls -la` in bash", act=True).calls
    assert [call.arguments for call in calls] == [{"command": "ls -la"}]


def test_no_file_is_written_whose_name_is_the_prompt(write: Tool) -> None:
    assert ask(write, text="Writes a file that greets", act=True).calls == ()


def test_a_file_that_the_words_name_is_read(read: Tool) -> None:
    calls = ask(read, text="Read the file src/main.py").calls
    assert [call.arguments for call in calls] == [{"file_path": "src/main.py"}]


@pytest.mark.parametrize("text", ["Explain why `read /etc/passwd` fails", "Why does reading a file fail?"])
def test_a_file_that_the_words_do_not_name_is_not_read(read: Tool, text: str) -> None:
    assert ask(read, text=text).calls == ()


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("Fetch https://example.com/a.", [{"url": "https://example.com/a"}]),
        ("Fetch what `rm -rf build` does", []),
        ("Fetch a page like `https://example.com/a`", []),
    ],
)
def test_an_address_is_fetched_only_where_the_words_name_it(
    build_tool: BuildTool, text: str, urls: list[dict[str, str]]
) -> None:
    fetch = build_tool("WebFetch", "Fetches a page.", {"url": TEXT})
    assert [call.arguments for call in ask(fetch, text=text).calls] == urls


def test_a_request_to_use_any_tool_is_met_with_one_that_does_not_act(bash: Tool, search: Tool) -> None:
    calls = ask(bash, search, text="bash", choice="required").calls
    assert [call.name for call in calls] == ["search"]


@pytest.mark.parametrize("choice", ["Bash", "required"])
def test_a_demand_for_a_tool_that_acts_is_refused_by_its_name(bash: Tool, choice: str) -> None:
    with pytest.raises(UncallableError, match="--act"):
        ask(bash, text="list", choice=choice)


def test_words_in_an_envelope_are_no_request(search: Tool) -> None:
    reply = ask(search, text="<system-reminder>Search the documentation.</system-reminder>Why do cats purr?")
    assert reply.calls == ()
    assert "“Why do cats purr?”" in reply.text


def test_a_tool_has_one_round_for_a_request_whatever_its_arguments_became(search: Tool) -> None:
    # A program may write defaults into the arguments that it sends back.
    called = Message("assistant", calls=(ToolCall("1", "search", {"query": "other", "limit": 10}),))
    reply = build_reply(
        Conversation(
            (Message("user", "Search it"), called, Message("user", results=(ToolResult("1", "found"),))),
            tools=(search,),
        ),
        "m",
    )
    assert reply.calls == ()
    assert "found" in reply.text


def test_a_note_after_a_tools_result_begins_no_new_round(search: Tool) -> None:
    called = Message("assistant", calls=(ToolCall("1", "search", {"query": "Search it"}),))
    answered = Message("user", "Search it again, thoroughly.", results=(ToolResult("1", "found"),))
    reply = build_reply(Conversation((Message("user", "Search it"), called, answered), tools=(search,)), "m")
    assert reply.calls == ()


def test_a_message_of_envelopes_alone_begins_no_new_round(search: Tool) -> None:
    note = Message("user", "<system-reminder>Search the documentation.</system-reminder>")
    called = Message("assistant", calls=(ToolCall("1", "search", {"query": "Search it"}),))
    answered = Message("user", results=(ToolResult("1", "found"),))
    reply = build_reply(Conversation((Message("user", "Search it"), called, answered, note), tools=(search,)), "m")
    assert reply.calls == ()
    assert "found" in reply.text


def test_where_calls_come_one_by_one_a_round_goes_on_until_each_choice_had_its_call(
    build_tool: BuildTool,
) -> None:
    stock = build_tool("get_price", "Get the price of a share.", {"ticker": {"enum": ["ACME", "INIT"]}})
    messages = [Message("user", "The price of INIT and ACME")]
    asked: list[JsonValue] = []
    for at in range(3):
        reply = build_reply(Conversation(tuple(messages), tools=(stock,), choice=ToolChoice(parallel=False)), "m")
        asked += [call.arguments["ticker"] for call in reply.calls]
        results = tuple(ToolResult(call.id, str(at)) for call in reply.calls)
        messages += [Message("assistant", calls=reply.calls), Message("user", results=results)]
    assert asked == ["INIT", "ACME"]
