"""The job in hand: what the user asked for last, and what the tools have answered since.

A new user message starts afresh; the answers that earlier ones got are kept apart.
A message beside tools' results is the request from then on, but starts nothing afresh: programs write there too, and a
tool that had its round must not get another for it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from plano_agents.simulator.agent.envelopes import strip_envelopes
from plano_agents.simulator.conversation import Conversation, Message, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class Finding:
    """A call and what came of it."""

    call: ToolCall
    """What was asked."""
    data: JsonValue
    """The answer as JSON; its text where it is not JSON."""
    problem: str | None
    """What went wrong, in the tool's words; None where nothing did."""
    is_new: bool
    """True if it answers the last turn's calls: nothing was said about it yet."""


@dataclass(frozen=True, slots=True)
class Job:
    """The simulated agent's job."""

    request: str
    """The user's own words, without what a program wrote around them."""
    findings: tuple[Finding, ...] = ()
    """What the tools have answered, in the order of the calls."""
    earlier: tuple[Finding, ...] = ()
    """What they answered to earlier requests, in the order of the calls."""
    said: tuple[str, ...] = ()
    """The answers that earlier requests got, the oldest first."""

    def count_calls(self, tool: str) -> int:
        """The number of calls of a tool in this job."""
        return sum(finding.call.name == tool for finding in self.findings)

    def has_called(self, call: ToolCall) -> bool:
        """Check whether this was asked before, in this job."""
        return any(f.call.name == call.name and f.call.arguments == call.arguments for f in self.findings)


def parse_job(conversation: Conversation) -> Job:
    """Find the job in a conversation."""
    messages = conversation.messages
    said = [strip_envelopes(message.text) if message.role == "user" else "" for message in messages]
    asked = [at for at, message in enumerate(messages) if said[at] or message.images or message.documents]
    start = max((at for at in asked if not messages[at].results), default=-1)
    before = messages[: max(start, 0)]
    return Job(
        request=said[asked[-1]] if asked else "",
        findings=_gather(messages[start + 1 :]),
        earlier=_gather(before),
        said=tuple(m.text for m in before if m.role == "assistant" and m.text and not m.calls),
    )


def _gather(messages: Sequence[Message]) -> tuple[Finding, ...]:
    results = {result.call_id: result for message in messages for result in message.results}
    last = next((message for message in reversed(messages) if message.role == "assistant"), None)
    return tuple(
        _parse_finding(call, results[call.id], is_new=message is last)
        for message in messages
        for call in message.calls
        if call.id in results
    )


def _parse_finding(call: ToolCall, result: ToolResult, *, is_new: bool) -> Finding:
    text = result.text
    try:
        data: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        data = text
    problem = None
    if isinstance(data, dict) and data.get("error"):
        problem = str(data["error"])
    elif result.is_error or (isinstance(data, str) and data.lower().startswith("error")):
        problem = text.strip() or "no reason given"
    return Finding(call=call, data=data, problem=problem, is_new=is_new)
