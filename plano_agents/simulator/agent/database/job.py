"""The simulated agent's choice of a database, once it is offered the tools for it.

It works in the order an engineer would: measure, read what others lived through, check what the design leans on, then
decide. A step whose tool is not offered, or that was done, is passed over. What follows from the decision is written
when it is asked for (``pieces``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plano_agents.simulator.agent.database.evidence import (
    BENCHMARKS,
    CASE_STUDIES,
    FEATURES,
    Evidence,
    gather_evidence,
)
from plano_agents.simulator.agent.database.offer import (
    VERDICT,
    build_database_calls,
    find_databases,
    find_features,
    find_parameter,
    find_recommended,
    find_workload,
)
from plano_agents.simulator.agent.database.pieces import write_piece
from plano_agents.simulator.agent.database.words import (
    describe_benchmarks,
    describe_gaps,
    describe_study,
    join,
)
from plano_agents.simulator.agent.job import Job
from plano_agents.simulator.agent.planner import Plan
from plano_agents.simulator.conversation import Conversation, ToolCall

_NEEDS = (
    ("foreign", "referen"),
    ("json.*index", "index.*json", "json", "document"),
    ("shard", "partition", "scal"),
)
"""The features that the design leans on, as tools may spell them, best first; one of each is checked."""

_REGRET = re.compile(r"moved|fail|left|migrat|regret", re.IGNORECASE)
"""How a case study's outcome says that it ended badly."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the work."""

    text: str
    """What is said beside its calls."""
    calls: tuple[ToolCall, ...]
    """All its calls, also those made already."""


def plan_database_turn(conversation: Conversation, job: Job) -> Plan:
    """Decide what comes next: the first step with calls that were not made yet, or the recommendation."""
    evidence = gather_evidence(job.findings)
    for step in _steps(conversation, evidence, find_databases(conversation, job)):
        missing = tuple(call for call in step.calls if not job.has_called(call))
        if missing:
            begun = len(missing) < len(step.calls)
            text = f"Now the same for {_subject(missing[0])}." if begun else step.text
            problems = [f"{problem} I go on without it." for problem in evidence.new_problems]
            return Plan("\n\n".join([*problems, text]), missing)
    return recommend(conversation, job)


def _steps(conversation: Conversation, evidence: Evidence, databases: tuple[str, ...]) -> Iterator[Step]:
    """The steps that the offered tools allow, in order; what they say is worked out when they are reached."""
    both = join(databases)
    usual = find_workload(conversation, r"mixed")
    features = find_features(conversation, _NEEDS)
    if find_parameter(conversation, BENCHMARKS, "database"):
        yield Step(
            f"I start with measurements. Browsing and checkout run side by side, so I compare the benchmark numbers of "
            f"{both} under the {usual or 'given'} workload, and look at the p99 latency before the throughput.",
            build_database_calls(BENCHMARKS, databases, workload=usual),
        )
    if find_parameter(conversation, CASE_STUDIES, "database"):
        yield Step(
            f"{_analyse_benchmarks(evidence, usual)}Next I weigh the case studies of {both}: what they were chosen for, "
            "and where teams regretted it.",
            build_database_calls(CASE_STUDIES, databases),
        )
    if features:
        needs = join([feature.replace("_", " ") for feature in features])
        yield Step(
            f"{_weigh_studies(evidence)}What decides between them is what the design leans on: {needs}. I check these "
            "for each database.",
            tuple(call for feature in features for call in build_database_calls(FEATURES, databases, feature=feature)),
        )


def follow_up(job: Job) -> Plan | None:
    """Write a piece of work on the database that was recommended; None where the user asks for something else."""
    winner = find_recommended(job)
    evidence = gather_evidence(job.earlier)
    text = write_piece(job.request, winner, evidence) if winner else None
    return Plan(text, signed=True) if text is not None else None


def recommend(conversation: Conversation, job: Job) -> Plan:
    """Write the answer: recommendation, reasons, warnings, and what would change it."""
    evidence = gather_evidence(job.findings)
    databases = find_databases(conversation, job)
    winner = evidence.choose(databases)
    others = join([name for name in databases if name != winner])
    workloads = dict.fromkeys(b.workload for b in evidence.benchmarks)
    reasons = [describe_benchmarks(evidence.benchmarks_of(workload)) for workload in workloads]
    if evidence.features:
        reasons.append(f"Of what the design needs: {describe_gaps(evidence.features)}")
    studies = sorted(evidence.studies, key=lambda study: _REGRET.search(study.outcome) is None)
    for_it = [s for s in evidence.studies if s.database == winner and not _REGRET.search(s.outcome)][:2]
    reasons += [f"{describe_study(study)}." for study in for_it]
    warnings = [f"- {describe_study(study)}." for study in studies if study not in for_it][:3]
    parts = [
        f"{VERDICT}{winner}**" + (f", over {others}." if others else "."),
        "Reasons:\n" + "\n".join(f"{at}. {reason}" for at, reason in enumerate(reasons, 1)) if reasons else "",
        "What others met:\n" + "\n".join(warnings) if warnings else "",
        f"Not known: {' '.join(evidence.problems)}" if evidence.problems else "",
        f"I would decide otherwise if the numbers above did not hold on your own data; repeat the {join(list(workloads))} "
        "runs with it before you commit."
        if workloads
        else "",
    ]
    return Plan("\n\n".join(part for part in parts if part), signed=True)


def _analyse_benchmarks(evidence: Evidence, workload: str) -> str:
    numbers = describe_benchmarks(evidence.benchmarks_of(workload))
    if not numbers:
        return ""
    return (
        f"{numbers} For orders the tail decides: a checkout holds its row locks for as long as its slowest statement "
        "runs, so a long tail turns into contention on stock. Benchmarks do not show how a system ages, though. "
    )


def _weigh_studies(evidence: Evidence) -> str:
    if not evidence.studies:
        return ""
    bad = [study for study in evidence.studies if _REGRET.search(study.outcome)]
    firsts = [
        next((s for s in evidence.studies if s.database == name), None)
        for name in dict.fromkeys(study.database for study in evidence.studies)
    ]
    told = list(dict.fromkeys([study for study in firsts if study is not None] + bad[:1]))
    told_text = "; ".join(describe_study(study) for study in told)
    warning = f" {bad[0].company} is the warning for our orders." if bad else ""
    return f"What the case studies teach: {told_text}.{warning}\n\n"


def _subject(call: ToolCall) -> str:
    return " and ".join(str(value).replace("_", " ") for value in call.arguments.values())
