"""The simulated agent's choice of a database, once it is offered the tools for it.

It works in the order an engineer would: measure, read what others lived through, draft the schema, check what the
draft needs, look at the peak, then decide. A step whose tool is not offered, or that was done, is passed over.
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
    find_workload,
)
from plano_agents.simulator.agent.database.schema import DOCUMENT_FINAL, SQL_DRAFT, SQL_FINAL
from plano_agents.simulator.agent.database.words import (
    describe_benchmarks,
    describe_features,
    describe_gaps,
    describe_study,
    join,
)
from plano_agents.simulator.agent.job import Job
from plano_agents.simulator.agent.planner import Plan
from plano_agents.simulator.conversation import Conversation, ToolCall

_DRAFT_NEEDS = (("foreign", "referen"), ("json.*index", "index.*json", "json", "document"))
"""The features that the draft leans on, as tools may spell them, best first; one of each is checked."""

_GROWTH_NEEDS = (("shard", "partition", "scal"),)
"""The feature that growth beyond one node leans on."""

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
    evidence = gather_evidence(job)
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
    usual, peak = find_workload(conversation, r"mixed"), find_workload(conversation, r"write")
    features = find_features(conversation, _DRAFT_NEEDS)
    growth = find_features(conversation, _GROWTH_NEEDS)
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
            f"{_weigh_studies(evidence)}Now the schema. I write a first draft of the tables in SQL, so that we see what "
            f"the design relies on:\n\n{SQL_DRAFT}\n\nThe draft stands on {needs}: the references keep order "
            "lines and orders together, and the attributes column must be searchable. I check that for each database.",
            tuple(call for feature in features for call in build_database_calls(FEATURES, databases, feature=feature)),
        )
    if peak and peak != usual:
        yield Step(
            f"{_analyse_features(evidence)}The question that remains is whether the favourite holds up when a sale starts "
            f"and nearly every request writes. I compare {both} under the {peak} workload before I decide.",
            build_database_calls(BENCHMARKS, databases, workload=peak),
        )
    if growth:
        need = join([feature.replace("_", " ") for feature in growth])
        yield Step(
            f"{_analyse_peak(evidence, peak)}It is a trade-off between what protects the orders and what absorbs the "
            f"writes, and growth decides how much the second one weighs. I compare how {both} spread over several nodes "
            f"({need}) before I settle it.",
            tuple(call for feature in growth for call in build_database_calls(FEATURES, databases, feature=feature)),
        )


def recommend(conversation: Conversation, job: Job) -> Plan:
    """Write the answer: recommendation, reasons, schema, risks, and what would change it."""
    evidence = gather_evidence(job)
    databases = find_databases(conversation, job)
    winner = evidence.choose(databases)
    others = join([name for name in databases if name != winner])
    is_document = "mongo" in winner.lower()
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
        f"The schema:\n\n{DOCUMENT_FINAL if is_document else SQL_FINAL}",
        _DOCUMENT_RISKS if is_document else _SQL_RISKS,
        "What others met:\n" + "\n".join(warnings) if warnings else "",
        f"Not known: {' '.join(evidence.problems)}" if evidence.problems else "",
        f"I would decide otherwise if the numbers above did not hold on your own data; repeat the {join(list(workloads))} "
        "runs with it before you commit."
        if workloads
        else "",
    ]
    return Plan("\n\n".join(part for part in parts if part), signed=True)


_SQL_RISKS = """\
Risks:
- Writes are bound to one primary: partition orders by month from the start, and keep product reads on replicas.
- Attributes in JSONB are not typed: validate them per product kind when they are written."""

_DOCUMENT_RISKS = """\
Risks:
- References between documents are the application's to keep: embed what must agree, and reconcile stock nightly.
- Transactions over several documents retry under contention: keep a checkout to one order document and its stock."""


def _analyse_benchmarks(evidence: Evidence, workload: str) -> str:
    numbers = describe_benchmarks(evidence.benchmarks_of(workload))
    if not numbers:
        return ""
    return (
        f"{numbers} For orders the tail decides: a checkout holds its row locks for as long as its slowest statement "
        "runs, so a long tail turns into contention on stock. Benchmarks do not show how a system ages, though. "
    )


def _analyse_features(evidence: Evidence) -> str:
    if not evidence.features:
        return ""
    return (
        f"{describe_features(evidence.features)}\n\n{describe_gaps(evidence.features)} What an application has to "
        "enforce by itself, it will one day fail to enforce, so a gap there weighs more than a convenience. "
    )


def _analyse_peak(evidence: Evidence, workload: str) -> str:
    numbers = describe_benchmarks(evidence.benchmarks_of(workload))
    return f"{numbers} " if numbers else ""


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
