"""The offered tools for choosing a database: the databases, workloads and features that can be asked about.

Once a database was recommended, the work is done: what the user says then is answered in words, unless it asks to
choose anew.
"""

import re

from plano_agents.simulator.agent.database.evidence import BENCHMARKS, CASE_STUDIES, FEATURES
from plano_agents.simulator.agent.job import Job
from plano_agents.simulator.agent.phrases import find_choices
from plano_agents.simulator.conversation import Conversation, ToolCall
from plano_agents.simulator.schema import JsonObject, list_choices

TOOLS = (BENCHMARKS, CASE_STUDIES, FEATURES)
"""The tools for the job, in the order of their use."""

DATABASES = ("PostgreSQL", "MongoDB")
"""Who is compared where the tools do not say."""

_COMMON_FEATURES = ("foreign_keys", "json_field_indexes", "horizontal_sharding")
"""What such tools commonly call these features, where they do not say."""


VERDICT = "**Recommendation: "
"""How an answer names the database that it recommends."""

_ANEW = re.compile(
    r"^(?!.*\b(why|did you|you (chose|picked|selected|decided|recommended))\b).*(\b(choose|pick|select|decide|recommend|evaluate)\b.*\bdatabases?\b"
    r"|\bdatabases?\b.*\b(choose|pick|select|decide|recommend|evaluate)\b|\bwhich database\b)",
    re.IGNORECASE | re.DOTALL,
)
"""How a user asks for the whole work again."""


def is_database_job(conversation: Conversation) -> bool:
    """Check whether the tools for choosing a database are offered."""
    return any(find_parameter(conversation, name, "database") for name in TOOLS)


def is_recommended(job: Job) -> bool:
    """Check whether a database was recommended already, and the user does not ask to choose anew."""
    return any(VERDICT in said for said in job.said) and _ANEW.search(job.request) is None


def find_recommended(job: Job) -> str:
    """The database that was recommended last; empty where none was."""
    verdicts = [said.partition(VERDICT)[2] for said in job.said if VERDICT in said]
    return verdicts[-1].partition("**")[0] if verdicts else ""


def build_database_calls(tool: str, databases: tuple[str, ...], **arguments: str) -> tuple[ToolCall, ...]:
    """The calls of one tool, one for each database; empty arguments are left out."""
    given = {name: value for name, value in arguments.items() if value}
    return tuple(ToolCall("", tool, {"database": database, **given}) for database in databases)


def find_parameter(conversation: Conversation, tool: str, name: str) -> JsonObject | None:
    """A parameter of an offered tool; None where there is no such tool, or it takes no such thing."""
    found = conversation.find_tool(tool)
    return found.members.get(name) if found is not None else None


def _list_names(schema: JsonObject) -> list[str]:
    return [str(choice) for choice in list_choices(schema) or ()]


def find_databases(conversation: Conversation, job: Job) -> tuple[str, ...]:
    """The two databases to compare: those that the request names, else the first that are offered."""
    for tool in TOOLS:
        schema = find_parameter(conversation, tool, "database")
        if schema is not None and (names := _list_names(schema)):
            named = find_choices(names, job.request)
            return tuple(name for name in names if len(named) < 2 or name in named)[:2]  # noqa: PLR2004 - two are compared
    return DATABASES


def find_workload(conversation: Conversation, pattern: str) -> str:
    """The workload of that kind; without choices, the name that such tools commonly use; empty if not taken."""
    schema = find_parameter(conversation, BENCHMARKS, "workload")
    if schema is None:
        return ""
    names = _list_names(schema) or ["mixed", "write_heavy"]
    return next((name for name in names if re.search(pattern, name)), names[0])


def find_features(conversation: Conversation, needs: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The offered features that answer to these needs, the best of each."""
    schema = find_parameter(conversation, FEATURES, "feature")
    if schema is None:
        return ()
    names = _list_names(schema) or list(_COMMON_FEATURES)
    found = [next((name for spelling in need for name in names if re.search(spelling, name)), None) for need in needs]
    return tuple(dict.fromkeys(name for name in found if name is not None))
