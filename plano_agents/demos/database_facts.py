"""The demo tools' data: simulated benchmarks, case studies and features of two databases.

The numbers are invented, in proportions that published comparisons would not contradict; every answer says so with
``"source": "simulated"``. How a model asks for them is left to ``database_selection``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

Database = Literal["PostgreSQL", "MongoDB"]
Workload = Literal["read_heavy", "write_heavy", "mixed"]
Feature = Literal[
    "multi_row_transactions",
    "serializable_isolation",
    "foreign_keys",
    "check_constraints",
    "json_documents",
    "json_field_indexes",
    "flexible_schema",
    "horizontal_sharding",
    "full_text_search",
    "change_streams",
    "materialized_views",
    "point_in_time_recovery",
]
Support = Literal["full", "partial", "none"]


class Fact(BaseModel):
    """The fields that every tool's answer has."""

    model_config = ConfigDict(frozen=True)

    source: Literal["simulated"] = "simulated"
    """Says that the numbers are invented."""
    database: Database
    """The database that the answer is about."""


class Benchmarks(Fact):
    """One run of the e-commerce benchmark: 100 GB, 16 cores, three nodes, acknowledged by a majority."""

    workload: Workload
    """The mix of operations that was run."""
    throughput_ops_per_s: int
    """Operations that completed, per second."""
    p50_ms: float
    """Median latency, in milliseconds."""
    p99_ms: float
    """99th percentile of the latency, in milliseconds."""
    note: str
    """What limited the run."""


class CaseStudy(BaseModel):
    """A case study of one shop."""

    model_config = ConfigDict(frozen=True)

    company: str
    """The shop; invented."""
    scale: str
    """How big it is."""
    outcome: Literal["success", "mixed", "moved_away"]
    """How it ended."""
    lesson: str
    """What there is to learn from it, in one sentence."""


class CaseStudies(Fact):
    """The case studies of one database."""

    case_studies: tuple[CaseStudy, ...]
    """At least three, the most relevant first."""


class FeatureSupport(Fact):
    """True if a database has one feature."""

    feature: Feature
    """The feature that was asked for."""
    support: Support
    """Its support: there, there with limits, or not there."""
    detail: str
    """How it is done, or what is done instead."""


def find_benchmarks(database: Database, workload: Workload) -> Benchmarks:
    """Look up the benchmark of a database under a workload."""
    throughput, p50_ms, p99_ms, note = _BENCHMARKS[database, workload]
    return Benchmarks(
        database=database,
        workload=workload,
        throughput_ops_per_s=throughput,
        p50_ms=p50_ms,
        p99_ms=p99_ms,
        note=note,
    )


def find_case_studies(database: Database) -> CaseStudies:
    """Look up the case studies of a database."""
    return CaseStudies(database=database, case_studies=_CASE_STUDIES[database])


def find_feature(database: Database, feature: Feature) -> FeatureSupport:
    """Look up whether a database has a feature."""
    support, detail = _FEATURES[feature][database]
    return FeatureSupport(database=database, feature=feature, support=support, detail=detail)


_BENCHMARKS: Mapping[tuple[Database, Workload], tuple[int, float, float, str]] = MappingProxyType(
    {
        ("PostgreSQL", "read_heavy"): (
            48_200,
            1.1,
            6.8,
            "Bound by CPU; the working set stayed in shared buffers.",
        ),
        ("PostgreSQL", "write_heavy"): (
            17_900,
            2.9,
            21.4,
            "Bound by WAL flushes; checkpoints show in the tail.",
        ),
        ("PostgreSQL", "mixed"): (29_600, 1.8, 11.2, "Each checkout is one transaction over four tables."),
        ("MongoDB", "read_heavy"): (
            55_700,
            0.9,
            7.5,
            "Whole product documents are read at once, without joins.",
        ),
        ("MongoDB", "write_heavy"): (
            26_300,
            2.2,
            24.9,
            "Single-document writes; the tail is replication lag.",
        ),
        ("MongoDB", "mixed"): (
            24_100,
            2.4,
            27.3,
            "Multi-document transactions at checkout retry under contention.",
        ),
    }
)

_CASE_STUDIES: Mapping[Database, tuple[CaseStudy, ...]] = MappingProxyType(
    {
        "PostgreSQL": (
            CaseStudy(
                company="Larkfield Outdoor",
                scale="4 million orders a year, 600,000 products",
                outcome="success",
                lesson="JSONB attributes with a GIN index replaced a separate catalogue store, and orders stayed relational.",
            ),
            CaseStudy(
                company="Brightcart",
                scale="220 orders per second at peak",
                outcome="success",
                lesson="Serializable checkout transactions ended overselling without a locking service.",
            ),
            CaseStudy(
                company="Nordhaven Market",
                scale="marketplace of 9,000 sellers",
                outcome="mixed",
                lesson="Writes outgrew one primary after three years; partitioning orders by month bought time.",
            ),
        ),
        "MongoDB": (
            CaseStudy(
                company="Patchwork & Pine",
                scale="1.2 million products of 340 kinds",
                outcome="success",
                lesson="New product kinds ship without migrations, because each keeps its own attributes.",
            ),
            CaseStudy(
                company="Quickbasket",
                scale="90 orders per second at peak",
                outcome="moved_away",
                lesson="Stock and payment drifted apart under load, so orders moved to a relational database.",
            ),
            CaseStudy(
                company="Sable Fashion",
                scale="content and catalogue in 14 countries",
                outcome="success",
                lesson="Sharding by region kept reads local; orders were left in the existing SQL system.",
            ),
        ),
    }
)

_FEATURES: Mapping[Feature, Mapping[Database, tuple[Support, str]]] = MappingProxyType(
    {
        "multi_row_transactions": {
            "PostgreSQL": ("full", "Any number of rows and tables in one transaction."),
            "MongoDB": ("partial", "Since 4.0, with a 60 s limit and retries left to the application."),
        },
        "serializable_isolation": {
            "PostgreSQL": ("full", "SERIALIZABLE by serializable snapshot isolation."),
            "MongoDB": ("none", "Snapshot isolation is the strongest; write skew is possible."),
        },
        "foreign_keys": {
            "PostgreSQL": ("full", "Enforced, with ON DELETE and deferred checking."),
            "MongoDB": ("none", "References between documents are not enforced."),
        },
        "check_constraints": {
            "PostgreSQL": ("full", "CHECK on columns and tables."),
            "MongoDB": ("partial", "JSON Schema validators within one document."),
        },
        "json_documents": {
            "PostgreSQL": ("full", "JSONB columns with operators and SQL/JSON paths."),
            "MongoDB": ("full", "BSON documents are the native model."),
        },
        "json_field_indexes": {
            "PostgreSQL": ("full", "GIN over a whole JSONB column, B-tree over an expression."),
            "MongoDB": ("full", "Indexes on any field, wildcard indexes on unknown ones."),
        },
        "flexible_schema": {
            "PostgreSQL": ("partial", "Inside JSONB columns; the table's own columns need a migration."),
            "MongoDB": ("full", "Each document has its own fields; validation is optional."),
        },
        "horizontal_sharding": {
            "PostgreSQL": ("partial", "Partitioning is built in, sharding needs an extension such as Citus."),
            "MongoDB": ("full", "Built in, with automatic balancing."),
        },
        "full_text_search": {
            "PostgreSQL": ("full", "tsvector with ranking and dictionaries."),
            "MongoDB": ("partial", "Basic text indexes; ranking needs Atlas Search."),
        },
        "change_streams": {
            "PostgreSQL": ("partial", "Logical replication slots, read by a tool such as Debezium."),
            "MongoDB": ("full", "Change streams are part of the driver API."),
        },
        "materialized_views": {
            "PostgreSQL": ("full", "Refreshed on demand, concurrently if indexed."),
            "MongoDB": ("partial", "On-demand views by $merge, refreshed by the application."),
        },
        "point_in_time_recovery": {
            "PostgreSQL": ("full", "Continuous WAL archiving."),
            "MongoDB": ("partial", "With Ops Manager or Atlas; not in the community server."),
        },
    }
)
