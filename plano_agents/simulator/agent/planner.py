"""The simulated agent's plan with tools that it does not know, or with none.

A tool is useful when the user's text shares a word with its name or with how its description begins, or names what it
needs. Each useful tool has one round per job, with a call for each choice that the text names; then the results are
summed up. Tools that act are left alone, unless acting is asked for.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass

from pydantic import JsonValue

from plano_agents.simulator.agent.acting import acts
from plano_agents.simulator.agent.job import Finding, Job
from plano_agents.simulator.agent.phrases import find_choices
from plano_agents.simulator.agent.values import UnwritableError, can_fill, fill_arguments, lacks_target
from plano_agents.simulator.conversation import Conversation, Tool, ToolCall
from plano_agents.simulator.schema import list_choices

MAX_CALLS = 4
"""How many calls one tool gets in a turn."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMON = frozenset(
    _WORD.findall(
        "about all and any are but can did does for from get give given has have her his how into its just let make "
        "may more not now one our out please run say see she should show some tell than that the their them then "
        "there they this use used want was what when where which who why will with would you your"
    )
)
_SMALL_TALK = re.compile(
    r"\W*((hi|hello|hey|good (morning|afternoon|evening))(?P<greeting>)|(many )?(thanks?|thank you|great|ok(ay)?|bye))"
    r"( there| you| a lot| very much| so much)?( for (your|the|all( your)?)( \w+)?)?\W*"
    r"((that|this|it)('s| is| was| helps?)?( all| enough)?( a lot| very| really| so| quite)?"
    r"( helpful| useful| great| clear| perfect| good)?)?\W*",
    re.IGNORECASE,
)


_REAL_ANSWERS = (
    (
        re.compile(r"\b(summar\w+|tl;?dr|shorten|condense|key points)\b", re.IGNORECASE),
        "A real model would give the main points here, shorter than the text itself.",
    ),
    (
        re.compile(r"\b(compar\w+|versus|vs|pros and cons|trade-?offs?|differences? between)\b", re.IGNORECASE),
        "A real model would set the options side by side here, say where they differ, and which one fits when.",
    ),
    (
        re.compile(r"\btranslat\w+\b", re.IGNORECASE),
        "A real model would give the text in the other language here.",
    ),
    (
        re.compile(
            r"\b(code|function|script|regex|unit tests?|bugs?|refactor\w*|debug\w*|implement\w*|python|javascript"
            r"|typescript|golang|sql|bash|html|css)\b",
            re.IGNORECASE,
        ),
        "A real model would answer with the code here, say how to run it, and name the cases that it does not handle.",
    ),
    (
        re.compile(r"\b(write|draft|compose|rewrite)\b", re.IGNORECASE),
        "A real model would write the text here.",
    ),
)
"""What a real model would do with a request of each kind; the first kind that fits counts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The text and the calls of one turn."""

    text: str
    """The words beside the calls, or the answer."""
    calls: tuple[ToolCall, ...] = ()
    """The calls, without ids yet; none means that the text is the answer."""
    signed: bool = False
    """True if the answer closes a job, and is signed."""


def is_small_talk(text: str) -> bool:
    """Check whether a message asks for nothing."""
    return _SMALL_TALK.fullmatch(text) is not None


def may_call(tool: Tool, *, act: bool) -> bool:
    """Check whether the agent calls a tool at all."""
    return tool.is_callable and (act or not acts(tool))


def plan_turn(conversation: Conversation, job: Job, *, act: bool) -> Plan:
    """Decide what comes next: the useful calls that were not made yet, or the answer."""
    useful = [
        tool
        for tool in conversation.tools
        if not is_small_talk(job.request) and _is_useful(tool, job.request) and tool.is_callable
    ]
    calls = tuple(
        call
        for tool in useful
        if may_call(tool, act=act) and not lacks_target(tool.parameters, job.request, quoted=act)
        for call in _list_missing(tool, job, act=act, parallel=conversation.choice.parallel)
    )
    if not calls:
        return conclude(job, left_alone=tuple(tool.name for tool in useful if not may_call(tool, act=act)))
    names = list(dict.fromkeys(call.name for call in calls))
    news = report(tuple(finding for finding in job.findings if finding.is_new))
    opening = f"{news}\n\nNext" if news else "To answer that"
    return Plan(f"{opening} I call {_join(names)}.", calls)


def _list_missing(tool: Tool, job: Job, *, act: bool, parallel: bool) -> list[ToolCall]:
    """The calls of a tool's round; where one turn may hold one call only, those that are left of it."""
    made = job.count_calls(tool.name)
    with suppress(UnwritableError):
        return [] if made and parallel else build_calls(tool, job.request, act=act)[made:]
    return []


def build_calls(tool: Tool, text: str, *, act: bool) -> list[ToolCall]:
    """The calls of one tool that a text asks for: one for each choice it names, else one.

    Raises:
        UnwritableError: The tool's parameters cannot be filled.
    """
    arguments = fill_arguments(tool.parameters, text, quoted=act)
    for name, member in tool.members.items():
        named = find_choices(list_choices(member) or (), text)
        if len(named) > 1:
            return [ToolCall("", tool.name, {**arguments, name: choice}) for choice in named[:MAX_CALLS]]
    return [ToolCall("", tool.name, arguments)]


def conclude(job: Job, left_alone: tuple[str, ...] = ()) -> Plan:
    """Answer with what was found, or directly where nothing was looked up.

    Args:
        job: What was asked and found.
        left_alone: The useful tools that were not called because they act.
    """
    if job.findings:
        return Plan(f"Here is what I found.\n\n{report(job.findings)}", signed=True)
    talk = _SMALL_TALK.fullmatch(job.request)
    if talk is not None:
        greeted = talk.group("greeting") is not None
        return Plan("Hello! What can I help you with?" if greeted else "You are welcome.")
    asked = f"“{quote(job.request)}”" if job.request.strip() else "a message without words"
    stop = "" if re.search(r"[.?!…]”$", asked) else "."
    return Plan(
        f"This is a simulated model, and it was sent {asked}{stop} {_describe_real_answer(job.request)} "
        f"{_describe_way_out(left_alone)}"
    )


def quote(text: str) -> str:
    """A text as one line of quotation, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:117] + "…"  # noqa: PLR2004 - one line


def _describe_way_out(left_alone: tuple[str, ...]) -> str:
    if not left_alone:
        return "Connect a real model, or offer tools that fit, for more than that."
    return (
        f"Simulated models do not call tools that act ({', '.join(left_alone)}). Connect a real model, or start the "
        "simulated ones with --act."
    )


def _describe_real_answer(request: str) -> str:
    found = next((words for kind, words in _REAL_ANSWERS if kind.search(request)), None)
    return found or "A real model would answer here from what it knows; this one knows nothing by itself."


def report(findings: tuple[Finding, ...]) -> str:
    """Say what each call brought, a line for each; what failed is said too."""
    return "\n".join(f"- {_report(finding)}" for finding in findings)


def _report(finding: Finding) -> str:
    asked = ", ".join(_brief(value) for value in finding.call.arguments.values())
    what = f"{finding.call.name}({asked})"
    if finding.problem is not None:
        return f"{what} failed, so I go on without it: {finding.problem}"
    return f"{what}: {_brief(finding.data)}"


def _brief(value: JsonValue, limit: int = 300) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{key} {_brief(member)}" for key, member in value.items())
    elif isinstance(value, list):
        text = "; ".join(_brief(member) for member in value)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _is_useful(tool: Tool, text: str) -> bool:
    beginning = tool.description.strip().partition("\n\n")[0]
    return bool(_words(text) & _words(f"{tool.name} {beginning}")) or can_fill(tool.parameters, text)


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in _WORD.findall(text.lower()) if word not in _COMMON}


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
