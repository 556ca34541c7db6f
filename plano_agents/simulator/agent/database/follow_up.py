"""What the agent says once it has recommended a database, and the user goes on.

It writes the schema, looks up what was not looked up yet, tells what it found, or says what its tools do not cover.
Only a request to choose anew starts the work again.
"""

import re

from plano_agents.simulator.agent.arguments import find_named
from plano_agents.simulator.agent.database.evidence import (
    BENCHMARKS,
    CASE_STUDIES,
    FEATURES,
    Evidence,
    gather_evidence,
)
from plano_agents.simulator.agent.database.offer import (
    TOOLS,
    build_database_calls,
    find_databases,
    find_parameter,
)
from plano_agents.simulator.agent.database.schema import DOCUMENT_FINAL, SQL_FINAL
from plano_agents.simulator.agent.database.words import (
    describe_benchmarks,
    describe_features,
    describe_study,
    join,
)
from plano_agents.simulator.agent.job import Job
from plano_agents.simulator.agent.planner import Plan, conclude, is_common
from plano_agents.simulator.conversation import Conversation, ToolCall

_VERDICT = re.compile(r"\*\*Recommendation: (.+?)\*\*")
"""How an earlier answer names the database that it recommends."""

_ANEW = re.compile(
    r"^(?!.*\b(why|did you|you (chose|picked|selected|decided|recommended))\b).*(\b(choose|pick|select|decide|recommend|evaluate)\b.*\bdatabases?\b"
    r"|\bdatabases?\b.*\b(choose|pick|select|decide|recommend|evaluate)\b|\bwhich database\b)",
    re.IGNORECASE | re.DOTALL,
)
"""How a user asks for the whole work again."""

_SCHEMA = re.compile(r"\b(schema|ddl|tables?|create table|migrations?|collections?|as code)\b", re.IGNORECASE)

_ABOUT_IT = re.compile(
    r"\b(why|reasons?|explain|sure|certain|recommend\w*|risks?|databases?|summar\w+|benchmarks?|latency|throughput"
    r"|features?|cases?|results?|evidence|numbers|found|findings)\b",
    re.IGNORECASE,
)
"""How a user comes back to what was found."""

_STUDIES = re.compile(r"\b(case stud(y|ies)|compan(y|ies)|teams?|experiences?)\b", re.IGNORECASE)

_ALTERNATIVE = re.compile(
    r"\b(?:what about|how about|and|or|use|try|consider|versus|vs\.?)\s+(?P<name>[a-z][\w.+-]*\w)"
    r"|\b(?P<other>[a-z][\w.+-]*\w)\s+instead\b",
    re.IGNORECASE,
)
"""How a user brings up something else."""


def is_follow_up(job: Job) -> bool:
    """Whether a database was recommended already, and the user does not ask to choose anew."""
    answered = any(_VERDICT.search(said) for said in job.said)
    return answered and _ANEW.search(job.request) is None


def plan_follow_up(conversation: Conversation, job: Job) -> Plan:
    """Decide what comes next: the calls that the user's words ask for, or the answer."""
    evidence = gather_evidence(Job("", (*job.earlier, *job.findings)))
    databases = find_databases(conversation, job)
    winner = next(found.group(1) for said in reversed(job.said) if (found := _VERDICT.search(said)))
    if _SCHEMA.search(job.request):
        return _write_schema(winner)
    calls = _find_calls(conversation, job, databases) if conversation.choice.mode != "none" else ()
    if calls:
        names = join(list(dict.fromkeys(call.name for call in calls)))
        return Plan(f"I have not looked at that yet, so I call {names} for {join(databases)}.", calls)
    if job.findings:
        return _tell(gather_evidence(job), f"My recommendation was {winner}; read it with that in mind.")
    if stranger := _find_stranger(job.request, databases):
        return _decline(conversation, stranger, databases, winner)
    named = [name for name in databases if name.lower() in job.request.lower()]
    if not named and _ABOUT_IT.search(job.request) is None:
        return conclude(job)
    return _tell(_limit(evidence, named or list(databases)), f"My recommendation stands: {winner}.")


def _write_schema(winner: str) -> Plan:
    code = DOCUMENT_FINAL if "mongo" in winner.lower() else SQL_FINAL
    return Plan(
        f"This is the schema for {winner}, ready to run on an empty database:\n\n{code}\n\nKeep it under version control "
        "and change it by migrations from here on.",
        signed=True,
    )


def _find_calls(conversation: Conversation, job: Job, databases: tuple[str, ...]) -> tuple[ToolCall, ...]:
    """The calls for what the words name, without those made before."""
    calls: list[ToolCall] = []
    for tool, name in ((BENCHMARKS, "workload"), (FEATURES, "feature")):
        schema = find_parameter(conversation, tool, name)
        for choice in find_named(schema, job.request) if schema is not None else ():
            calls += build_database_calls(tool, databases, **{name: str(choice)})
    if _STUDIES.search(job.request) and find_parameter(conversation, CASE_STUDIES, "database"):
        calls += build_database_calls(CASE_STUDIES, databases)
    made = [(f.call.name, f.call.arguments) for f in (*job.earlier, *job.findings)]
    return tuple(call for call in calls if (call.name, call.arguments) not in made)


def _find_stranger(request: str, databases: tuple[str, ...]) -> str | None:
    """What the user brings up that the tools do not cover."""
    names = (found.group("name") or found.group("other") for found in _ALTERNATIVE.finditer(request))
    known = {name.lower() for name in databases}
    return next((name for name in names if not is_common(name) and name.lower() not in known), None)


def _decline(conversation: Conversation, stranger: str, databases: tuple[str, ...], winner: str) -> Plan:
    tools = [tool for tool in TOOLS if conversation.find_tool(tool) is not None]
    covered = f"My tools, {join(tools)}, cover {join(databases)} only" if tools else "I have no tools here"
    return Plan(
        f"{covered}, so I cannot say how {stranger} would do, and will not guess. Between {join(databases)} my "
        f"recommendation stays {winner}; to bring {stranger} in, measure it the same way first.",
        signed=True,
    )


def _limit(evidence: Evidence, databases: list[str]) -> Evidence:
    return Evidence(
        benchmarks=tuple(b for b in evidence.benchmarks if b.database in databases),
        studies=tuple(s for s in evidence.studies if s.database in databases),
        features=tuple(f for f in evidence.features if f.database in databases),
        problems=evidence.problems,
        new_problems=(),
    )


def _tell(evidence: Evidence, opening: str) -> Plan:
    workloads = dict.fromkeys(b.workload for b in evidence.benchmarks)
    parts = [
        opening,
        *(describe_benchmarks(evidence.benchmarks_of(workload)) for workload in workloads),
        describe_features(evidence.features),
        "\n".join(f"- {describe_study(study)}." for study in evidence.studies[:3]),
        " ".join(evidence.problems),
    ]
    return Plan("\n\n".join(part for part in parts if part), signed=True)
