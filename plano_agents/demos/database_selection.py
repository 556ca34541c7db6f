"""The database-selection agent: its instructions, and the tools it may call.

A tool answers every call with JSON: a result, or ``{"error": …, "available": […]}`` where the model asked for
something that is not there, so that the model can correct itself and the user never sees an exception. Names are
matched without regard to case, spaces, dashes and underscores.

The facts are left to ``database_facts``, what is asked of it to ``job``, the loop to importers.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from plano_agents.demos.database_facts import (
    Database,
    Fact,
    Feature,
    Workload,
    find_benchmarks,
    find_case_studies,
    find_feature,
)

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionFunctionToolParam

A = TypeVar("A", bound=BaseModel)

SYSTEM_PROMPT = """\
You are a database architect. You help engineering teams to choose a database, and you base every claim on what \
your tools return, not on what you remember.

How to work:
1. Measure first. Compare the candidates under the workload that is closest to the user's. Look at p99 latency before \
throughput: customers feel the tail, and a checkout waits for the slowest statement in its transaction. Treat \
differences under 10 % as noise. Come back to another workload when the design raises a question about it.
2. Then learn from others. Read the case studies of each candidate, also of the one that you do not favour. A team \
that moved away from a database teaches more than one that stayed. Ask whether its scale and access patterns match \
the user's before you carry a lesson over.
3. Then check the features that the design really leans on, and exactly these, for each candidate. A feature with \
partial support is a cost: name what has to be built or bought instead.
4. Weigh, and say how. Rank the criteria in this order unless the user says otherwise: correctness of money and stock; \
the ability to change the product model without downtime; latency at peak; ease of operation; growth beyond one \
node. A lower criterion never outweighs a failed higher one.
5. Decide. Recommend one database, and say under which circumstances you would decide otherwise.

Rules for the schema and for code on it, once they are asked for:
- Money is stored in minor units (integer cents) with a currency code, never as a floating-point number.
- What must agree is written in one transaction; invariants are declared as constraints, where the database can hold \
them, and not only in application code.
- What varies by product kind lives in one structured column or document, with an index for the attributes that are \
searched.
- Every order line keeps the price at which it was sold; later changes to a product must not change old orders.
- Whatever the customer can retry (placing an order, paying) carries an idempotency key with a unique constraint.
- Declare the indexes of the three most frequent queries: a customer's orders, a product by attribute, an order's lines.

Rules for using the tools:
- Ask for both candidates in the same turn, so that you compare like with like.
- Say briefly what you found and what you look at next, each time before you call a tool.
- When a tool returns an error, read it: it names what is available. Correct the call once; if that fails too, go on \
without it and say so in your answer.
- The data is simulated; quote its numbers as they are, and do not present them as measurements of real products.

The recommendation has four parts: one sentence that names the database; the reasons, each with its evidence (a \
number, a case study or a feature); what others met; what would change your mind. Write the schema, code, estimates and \
reviews when you are asked for them, one at a time, each complete.
"""
"""The agent's instructions."""


def _match(choices: tuple[str, ...], also: Mapping[str, str]) -> Callable[[object], str]:
    """Build a validator that reads a name in any common spelling."""
    known = {_fold(choice): choice for choice in choices} | dict(also)

    def match(value: object) -> str:
        found = known.get(_fold(value)) if isinstance(value, str) else None
        if found is None:
            raise PydanticCustomError("unknown_name", "unknown", {"available": list(choices)})
        return found

    return match


def _fold(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


_SPELLINGS = MappingProxyType({"postgres": "PostgreSQL", "pg": "PostgreSQL", "psql": "PostgreSQL", "mongo": "MongoDB"})
_DatabaseName = Annotated[
    Database,
    BeforeValidator(_match(get_args(Database), _SPELLINGS)),
    Field(description="The database to look at."),
]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BenchmarkArguments(_Arguments):
    """The arguments of `get_db_benchmarks`."""

    database: _DatabaseName
    """The database, in any common spelling."""
    workload: Annotated[
        Workload,
        BeforeValidator(_match(get_args(Workload), {"read": "read_heavy", "write": "write_heavy"})),
        Field(
            description="The mix of operations: read_heavy is browsing the catalogue (95 % reads), write_heavy is a "
            "sale's checkout peak (80 % writes), mixed is a normal day of browsing and orders."
        ),
    ]
    """The workload, in any common spelling."""


class CaseStudyArguments(_Arguments):
    """The arguments of `get_case_studies`."""

    database: _DatabaseName
    """The database, in any common spelling."""


class FeatureArguments(_Arguments):
    """The arguments of `check_feature_support`."""

    database: _DatabaseName
    """The database, in any common spelling."""
    feature: Annotated[
        Feature,
        BeforeValidator(_match(get_args(Feature), {})),
        Field(description="The feature that the design needs; one per call."),
    ]
    """The feature, in any common spelling."""


class ToolProblem(BaseModel):
    """A tool's answer to a call that it cannot serve."""

    model_config = ConfigDict(frozen=True)

    source: Literal["simulated"] = "simulated"
    """As in every answer."""
    error: str
    """What is wrong with the call, and how to correct it."""
    available: tuple[str, ...] = ()
    """The values or tools that could have been asked for."""


def get_db_benchmarks(database: str, workload: str) -> str:
    """Measure a database under a workload: throughput in operations per second, p50 and p99 latency in milliseconds.

    Every run uses the same e-commerce data set of 100 GB on three nodes of 16 cores, acknowledged by a majority, so
    results can be compared between databases and workloads.
    """
    return _answer(
        BenchmarkArguments,
        {"database": database, "workload": workload},
        lambda asked: find_benchmarks(asked.database, asked.workload),
    )


def get_case_studies(database: str) -> str:
    """Read how e-commerce companies fared with a database: their scale, the outcome and the lesson they drew.

    Includes companies that moved away from it.
    """
    return _answer(CaseStudyArguments, {"database": database}, lambda asked: find_case_studies(asked.database))


def check_feature_support(database: str, feature: str) -> str:
    """Check whether a database supports a feature fully, partially or not at all, and how it is done.

    Where support is partial or missing, the detail says what is used instead.
    """
    return _answer(
        FeatureArguments,
        {"database": database, "feature": feature},
        lambda asked: find_feature(asked.database, asked.feature),
    )


def run_tool(name: str, arguments_json: str) -> str:
    """Run a tool as a model calls it.

    Args:
        name: The tool's name.
        arguments_json: Its arguments, a JSON object, as the model wrote it.

    Returns:
        A JSON object: the result, or a `ToolProblem`. Never raises: what is wrong is for the model to read.
    """
    function = TOOL_FUNCTIONS.get(name)
    if function is None:
        return _refuse(f"There is no tool {name!r}; call one of those available.", TOOL_FUNCTIONS)
    names = tuple(inspect.signature(function).parameters)
    try:
        arguments = json.loads(arguments_json or "{}")
    except (ValueError, RecursionError) as problem:
        return _refuse(f"The arguments of {name} are not valid JSON ({problem}); send an object.", names)
    if not isinstance(arguments, dict):
        return _refuse(f"The arguments of {name} are not a JSON object; send one with these keys.", names)
    if arguments.keys() != set(names):
        return _refuse(f"{name} takes exactly {', '.join(names)}; got {', '.join(arguments) or 'nothing'}.", names)
    return function(**arguments)


def _answer(model: type[A], arguments: Mapping[str, str], find: Callable[[A], Fact]) -> str:
    try:
        asked = model.model_validate(arguments)
    except ValidationError as problems:
        problem = problems.errors()[0]
        field = str(problem["loc"][0])
        return _refuse(
            f"Unknown {field} {arguments[field]!r}; ask again with one of those available.",
            problem.get("ctx", {}).get("available", ()),
        )
    return find(asked).model_dump_json()


def _refuse(error: str, available: "Mapping[str, object] | tuple[str, ...]") -> str:
    return ToolProblem(error=error, available=tuple(available)).model_dump_json()


def _describe(function: Callable[..., str], arguments: type[BaseModel]) -> "ChatCompletionFunctionToolParam":
    parameters = arguments.model_json_schema()
    del parameters["description"], parameters["title"]
    for field in parameters["properties"].values():
        del field["title"]
    return {
        "type": "function",
        "function": {
            "name": function.__name__,
            "description": " ".join((inspect.getdoc(function) or "").split()),
            "parameters": parameters,
        },
    }


TOOL_FUNCTIONS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "get_db_benchmarks": get_db_benchmarks,
        "get_case_studies": get_case_studies,
        "check_feature_support": check_feature_support,
    }
)
"""The tools by name; each takes strings and returns JSON."""

TOOLS: "list[ChatCompletionFunctionToolParam]" = [
    _describe(get_db_benchmarks, BenchmarkArguments),
    _describe(get_case_studies, CaseStudyArguments),
    _describe(check_feature_support, FeatureArguments),
]
"""The tools as the OpenAI chat wire offers them."""
