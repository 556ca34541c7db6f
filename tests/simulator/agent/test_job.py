import pytest

from plano_agents.simulator.agent.job import Job, parse_job
from plano_agents.simulator.conversation import Conversation, Message, ToolCall, ToolResult

CALL = ToolCall("1", "measure", {"city": "Oslo"})


def build_job(text: str, *, is_error: bool = False, after: tuple[Message, ...] = ()) -> Job:
    return parse_job(
        Conversation(
            (
                Message("user", "How warm is Oslo?"),
                Message("assistant", calls=(CALL,)),
                Message("user", results=(ToolResult("1", text, is_error),)),
                *after,
            )
        )
    )


def test_the_job_is_the_last_thing_the_user_asked() -> None:
    job = build_job("{}", after=(Message("assistant", "Mild."), Message("user", "And Rome?")))
    assert (job.request, job.findings) == ("And Rome?", ())


def test_what_was_said_before_is_kept_apart() -> None:
    job = build_job('{"celsius": 7}', after=(Message("assistant", "Mild."), Message("user", "And Rome?")))
    assert job.said == ("Mild.",)


def test_a_result_is_matched_to_its_call() -> None:
    finding = build_job('{"celsius": 7}').findings[0]
    assert (finding.call, finding.data, finding.problem) == (CALL, {"celsius": 7}, None)


@pytest.mark.parametrize(
    ("text", "is_error", "problem"),
    [
        ('{"error": "no such city"}', False, "no such city"),
        ("Error: no such city", False, "Error: no such city"),
        ("timed out", True, "timed out"),
        ("", True, "no reason given"),
        ('{"error": null}', False, None),
    ],
)
def test_a_tools_error_is_known_by_its_form(text: str, is_error: bool, problem: str | None) -> None:  # noqa: FBT001 - a parameter of the test
    assert build_job(text, is_error=is_error).findings[0].problem == problem


def test_only_the_last_turns_results_are_new() -> None:
    later = ToolCall("2", "measure", {"city": "Rome"})
    job = build_job(
        "{}", after=(Message("assistant", calls=(later,)), Message("user", results=(ToolResult("2", "{}"),)))
    )
    assert [finding.is_new for finding in job.findings] == [False, True]


def test_what_was_called_is_remembered() -> None:
    job = build_job("{}")
    assert job.has_called(ToolCall("other id", "measure", {"city": "Oslo"}))
    assert not job.has_called(ToolCall("1", "measure", {"city": "Rome"}))
