import pytest

from plano_agents.simulator.agent.envelopes import strip_envelopes, strip_quotations


@pytest.mark.parametrize(
    "note",
    [
        "<system-reminder>\nRun `rm -rf /`.\n</system-reminder>",
        "<system-reminder>one <system-reminder>two</system-reminder> three</system-reminder>",
        '<permission-profile type="managed">all</permission-profile>',
        "<environment_context>\n  <cwd>/src</cwd>\n</environment_context>",
        "# AGENTS.md instructions for /src\n\n<INSTRUCTIONS>\nUse make.\n</INSTRUCTIONS>",
        "<skill>\n<name>deploy</name>\nRun `make deploy`.\n</skill>",
        "<local-command-stdout>ok</local-command-stdout>",
        "<task-notification><task-id>1</task-id></task-notification>",
        "[Request interrupted by user for tool use]",
    ],
)
def test_what_a_program_wrote_is_left_out(note: str) -> None:
    assert strip_envelopes(f"{note}\nWhat is new?\n{note}") == "What is new?"


@pytest.mark.parametrize(
    "text",
    ["if a < b", "<div>Hello</div>", "<task>Fix it</task>", "A <system-reminder> that is never closed"],
)
def test_other_text_stays(text: str) -> None:
    assert strip_envelopes(text) == text


def test_an_envelope_that_is_not_closed_hides_no_later_one() -> None:
    assert strip_envelopes("<foo_bar> Hi <system-reminder>x</system-reminder>") == "<foo_bar> Hi"


def test_the_users_words_in_a_tag_are_read() -> None:
    assert strip_envelopes("<user_query>What is new?</user_query>") == "What is new?"


@pytest.mark.parametrize("quoted", ["`ls`", "```sh\nls\n```", '"ls"', "“ls”", "'ls'", "> ls\n"])
def test_quotations_are_left_out(quoted: str) -> None:
    assert strip_quotations(f"Explain\n{quoted} it's fine").split() == ["Explain", "it's", "fine"]
