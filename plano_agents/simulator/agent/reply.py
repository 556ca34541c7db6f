"""The simulated model: reads a conversation and the tools it is offered, and acts on them.

The same conversation gives the same words and the same calls, whichever model's name is asked; only the signature
under a final answer tells them apart. The seed changes the ids alone.
"""

import hashlib
from dataclasses import dataclass, replace

from plano_agents.simulator.agent.database.job import follow_up, plan_database_turn, recommend
from plano_agents.simulator.agent.database.offer import is_database_job, is_recommended
from plano_agents.simulator.agent.job import Job, parse_job
from plano_agents.simulator.agent.json_answer import write_json
from plano_agents.simulator.agent.planner import (
    Plan,
    build_calls,
    conclude,
    is_small_talk,
    may_call,
    plan_turn,
    quote,
)
from plano_agents.simulator.conversation import Conversation, Tool, ToolCall, digest_conversation

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"


class UncallableError(Exception):
    """A demand for a call that the simulated models do not make.

    Args:
        name: The tool; empty where any would do, and none can be called.
    """

    def __init__(self, name: str) -> None:
        what = f"the tool {name!r}" if name else "any of these tools"
        super().__init__(
            f"The simulated models do not call {what}: they call no tools that act, that only the provider runs, "
            "or that take free text. Offer one that looks something up, or start them with --act."
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the simulated model."""

    id: str
    """24 letters and digits that name the answer."""
    text: str
    """Its words; empty where a call was demanded."""
    calls: tuple[ToolCall, ...]
    """Its tool calls, with ids of 24 letters and digits."""
    thought: str = ""
    """What it thinks before it answers; shown where its wire shows thoughts, and asked to."""


def build_reply(conversation: Conversation, model: str, seed: int = 0, *, act: bool = False) -> Reply:
    """Answer a conversation.

    Args:
        conversation: What was sent; its tool choice is obeyed.
        model: The name that final answers are signed with.
        seed: Changes the ids, and nothing else.
        act: Whether tools that act may be called: that run, write, edit, delete, send, spawn or schedule something.

    Raises:
        UnwritableError: An answer in JSON, or a call, is demanded, and cannot be written for its schema.
        UncallableError: A call is demanded that the simulated models do not make.
    """
    job = parse_job(conversation)
    plan = _plan(conversation, job, act=act)
    digest = digest_conversation(conversation, seed)
    calls = plan.calls if conversation.choice.parallel else plan.calls[:1]
    return Reply(
        id=_build_id(digest, "answer"),
        text=_write(conversation, job, plan, model),
        calls=tuple(replace(call, id=_build_id(digest, str(at))) for at, call in enumerate(calls)),
        thought=_think(job, plan),
    )


def _write(conversation: Conversation, job: Job, plan: Plan, model: str) -> str:
    if conversation.format is None:
        return f"{plan.text}\n\n— written by {model}" if plan.signed else plan.text
    if plan.calls:
        return ""  # words beside calls would be no JSON
    return write_json(conversation.format, plan.text if plan.signed else job.request, plan.text)


def _think(job: Job, plan: Plan) -> str:
    asked = f"The user writes: “{quote(job.request)}”"
    if plan.calls:
        names = ", ".join(dict.fromkeys(call.name for call in plan.calls))
        return f"{asked} I do not know enough for that yet, so I call {names} first."
    found = f"I have {len(job.findings)} results to answer from." if job.findings else "I can answer at once."
    return f"{asked} {found}"


def _plan(conversation: Conversation, job: Job, *, act: bool) -> Plan:
    choice = conversation.choice
    chooses_database = is_database_job(conversation) and not is_small_talk(job.request)
    if chooses_database and is_recommended(job):
        plan = follow_up(job) or conclude(job)
    elif choice.mode == "none" or not conversation.tools:
        return recommend(conversation, job) if chooses_database and job.findings else conclude(job)
    else:
        plan = plan_database_turn(conversation, job) if chooses_database else plan_turn(conversation, job, act=act)
    if choice.mode in {"auto", "none"} or not conversation.tools:
        return plan
    demanded = [tool for tool in conversation.tools if choice.mode == "required" or tool.name == choice.name]
    wanted = tuple(call for call in plan.calls if any(call.name == tool.name for tool in demanded))
    # A call that is demanded comes without words, as from the real ones.
    return Plan("", wanted or _call_first(demanded, job, act=act))


def _call_first(tools: list[Tool], job: Job, *, act: bool) -> tuple[ToolCall, ...]:
    """Call the first of some tools that may be called."""
    tool = next((tool for tool in tools if may_call(tool, act=act)), None)
    if tool is None:
        raise UncallableError(tools[0].name if len(tools) == 1 else "")
    return tuple(build_calls(tool, job.request, act=act))


def _build_id(digest: bytes, purpose: str) -> str:
    number = int.from_bytes(hashlib.sha256(digest + purpose.encode()).digest(), "big")
    letters = []
    for _ in range(24):
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return "".join(letters)
