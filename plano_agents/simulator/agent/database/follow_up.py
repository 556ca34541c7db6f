"""What the agent says once it has recommended a database, and the user goes on.

It writes the schema, or tells again what it found; only a request to choose anew starts the work again. What it did
not look at then, it does not look up now.
"""

import re

from plano_agents.simulator.agent.database.evidence import gather_evidence
from plano_agents.simulator.agent.database.schema import DOCUMENT_FINAL, SQL_FINAL
from plano_agents.simulator.agent.database.words import describe_benchmarks, describe_features, describe_study
from plano_agents.simulator.agent.job import Job
from plano_agents.simulator.agent.planner import Plan, conclude

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
    r"|workloads?|features?|cases?|results?|evidence|numbers|found|findings)\b",
    re.IGNORECASE,
)
"""How a user comes back to what was found."""


def is_follow_up(job: Job) -> bool:
    """Whether a database was recommended already, and the user does not ask to choose anew."""
    answered = any(_VERDICT.search(said) for said in job.said)
    return answered and _ANEW.search(job.request) is None


def plan_follow_up(job: Job) -> Plan:
    """Answer with the schema, or with the evidence; what is about neither is no follow-up."""
    winner = next(found.group(1) for said in reversed(job.said) if (found := _VERDICT.search(said)))
    if _SCHEMA.search(job.request):
        code = DOCUMENT_FINAL if "mongo" in winner.lower() else SQL_FINAL
        return Plan(
            f"This is the schema for {winner}, ready to run on an empty database:\n\n{code}\n\nKeep it under version "
            "control and change it by migrations from here on.",
            signed=True,
        )
    if _ABOUT_IT.search(job.request) is None:
        return conclude(job)
    evidence = gather_evidence(Job("", job.earlier))
    workloads = dict.fromkeys(b.workload for b in evidence.benchmarks)
    parts = [
        f"My recommendation stands: {winner}.",
        *(describe_benchmarks(evidence.benchmarks_of(workload)) for workload in workloads),
        describe_features(evidence.features),
        "\n".join(f"- {describe_study(study)}." for study in evidence.studies[:3]),
        " ".join(evidence.problems),
    ]
    return Plan("\n\n".join(part for part in parts if part), signed=True)
