import re

from hypothesis import given
from hypothesis import strategies as st

from plano_agents.protocol.tool_names import ClientTool, ClientTools

TOOLS = st.builds(
    ClientTool,
    st.sampled_from(["function", "custom"]),
    st.text("ab_ é", min_size=1, max_size=70),
    st.none() | st.text("ab_", min_size=1, max_size=40),
)


@given(st.lists(TOOLS, unique=True))
def test_every_tool_is_found_again_under_its_own_name(given_tools: list[ClientTool]) -> None:
    tools = ClientTools()
    sent = [tools.send(tool) for tool in given_tools]
    assert [tools.find(name) for name in sent] == given_tools


@given(st.lists(TOOLS.filter(lambda tool: tool.kind == "custom" or tool.namespace is not None)))
def test_names_that_are_made_here_are_taken_everywhere(given_tools: list[ClientTool]) -> None:
    tools = ClientTools()
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tools.send(tool)) for tool in given_tools)


def test_a_namespaces_tool_is_named_after_both() -> None:
    assert ClientTools().send(ClientTool("function", "f", "mcp__docs__")) == "mcp__docs__f"


def test_a_function_that_no_tool_became_is_itself() -> None:
    assert ClientTools().find("add") == ClientTool("function", "add")
