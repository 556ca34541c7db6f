"""The simulated model: reads a conversation and the tools it is offered, and acts on them.

The same conversation gives the same words and the same calls, whichever model's name is asked; only the signature
under a final answer tells them apart. The seed changes the ids alone.
"""

import hashlib
from dataclasses import dataclass, replace

from plano_agents.simulator.agent.database.follow_up import is_follow_up, plan_follow_up
from plano_agents.simulator.agent.database.job import plan_database_turn, recommend
from plano_agents.simulator.agent.database.offer import is_database_job
from plano_agents.simulator.agent.job import Job, parse_job
from plano_agents.simulator.agent.json_answer import write_json
from plano_agents.simulator.agent.planner import (
    Plan,
    build_calls,
    conclude,
    is_small_talk,
    plan_turn,
    quote,
)
from plano_agents.simulator.conversation import Conversation, Tool, ToolCall, digest_conversation

_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers."""

    id: str
    """24 letters and digits that name the answer."""
    text: str
    """Its words; empty where a call was demanded."""
    calls: tuple[ToolCall, ...]
    """Its tool calls, with ids of 24 letters and digits."""
    thought: str = ""
    """What it thinks before it answers; shown where its wire shows thoughts, and asked to."""


def build_reply(conversation: Conversation, model: str, seed: int = 0) -> Reply:
    """Answer a conversation.

    Args:
        conversation: What was sent; its tool choice is obeyed.
        model: The name that final answers are signed with.
        seed: Changes the ids, and nothing else.

    Raises:
        UnwritableError: An answer in JSON is asked for, and cannot be written for its schema.
    """
    job = parse_job(conversation)
    plan = _plan(conversation, job)
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


def _plan(conversation: Conversation, job: Job) -> Plan:
    choice = conversation.choice
    chooses_database = is_database_job(conversation) and not is_small_talk(job.request)
    follows_up = is_follow_up(job) and not is_small_talk(job.request)
    if follows_up:
        plan = plan_follow_up(job)
    elif choice.mode == "none" or not conversation.tools:
        return recommend(conversation, job) if chooses_database and job.findings else conclude(job)
    else:
        plan = plan_database_turn(conversation, job) if chooses_database else plan_turn(conversation, job)
    if choice.mode in {"auto", "none"} or not conversation.tools:
        return plan
    tool = conversation.find_tool(choice.name) if choice.mode == "named" else conversation.tools[0]
    wanted = plan.calls if choice.mode == "required" else _only(plan.calls, tool)
    # A call that is demanded comes without words, as from the real ones.
    return Plan("", wanted or (tuple(build_calls(tool, job.request)) if tool is not None else ()))


def _only(calls: tuple[ToolCall, ...], tool: Tool | None) -> tuple[ToolCall, ...]:
    return tuple(call for call in calls if tool is not None and call.name == tool.name)


def _build_id(digest: bytes, purpose: str) -> str:
    number = int.from_bytes(hashlib.sha256(digest + purpose.encode()).digest(), "big")
    letters = []
    for _ in range(24):
        number, at = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[at])
    return "".join(letters)
