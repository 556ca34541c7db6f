"""Reading benchmarks, case studies and feature checks out of whatever JSON the tools answer.

Values are found by what their keys are called, at any depth, so that another set of tools for the same job is read
too. What cannot be read is left out, and nothing is said about it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from plano_agents.simulator.agent.job import Finding

Support = Literal["full", "partial", "none"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One measurement."""

    database: str
    """The database asked about."""
    workload: str
    """The workload asked about; empty where the tool takes none."""
    p99_ms: float
    """Tail latency, in milliseconds."""
    throughput: float
    """Operations per second."""


@dataclass(frozen=True, slots=True)
class CaseStudy:
    """One company's experience."""

    database: str
    """The database asked about."""
    company: str
    """Who."""
    outcome: str
    """How it ended, in the tool's word; may be empty."""
    lesson: str
    """What it teaches; may be empty."""


@dataclass(frozen=True, slots=True)
class FeatureCheck:
    """True if a database has a feature."""

    database: str
    """The database asked about."""
    feature: str
    """The feature asked about."""
    support: Support
    """How far it is there."""
    detail: str
    """How it is done; may be empty."""


def read_benchmark(finding: Finding) -> Benchmark | None:
    """Read a measurement; None without both its numbers."""
    p99 = _find_number(finding.data, r"p99|p95|latency|response_ms")
    throughput = _find_number(finding.data, r"throughput|ops|qps|tps|per_s")
    if p99 is None or throughput is None:
        return None
    return Benchmark(_asked(finding, "database"), _asked(finding, "workload"), p99, throughput)


def read_case_studies(finding: Finding) -> list[CaseStudy]:
    """Read the case studies of an answer: the objects that name a company."""
    studies = []
    for member in _walk(finding.data):
        company = _find_text(member, r"company|name|title|customer")
        if company:
            outcome = _find_text(member, r"outcome|result|verdict")
            lesson = _find_text(member, r"lesson|summary|takeaway|detail|description|outcome|result")
            studies.append(CaseStudy(_asked(finding, "database"), company, outcome, lesson))
    return studies


def read_feature(finding: Finding) -> FeatureCheck | None:
    """Read a feature check; None where the answer does not say whether the feature is there."""
    for member in _walk(finding.data):
        for key, value in member.items():
            support = _read_support(value) if re.search(r"support|status|available", key) else None
            if support is not None:
                return FeatureCheck(
                    _asked(finding, "database"),
                    _asked(finding, "feature"),
                    support,
                    _find_text(member, r"detail|note|description|comment"),
                )
    return None


def _read_support(value: JsonValue) -> Support | None:
    if isinstance(value, bool):
        return "full" if value else "none"
    if not isinstance(value, str):
        return None
    word = value.lower()
    if re.search(r"partial|limited", word):
        return "partial"
    return "none" if re.search(r"none|no\b|not\b|unsupported|missing", word) else "full"


def _asked(finding: Finding, name: str) -> str:
    return str(finding.call.arguments.get(name) or "")


def _walk(data: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Every object in a value, the outer ones first."""
    if isinstance(data, dict):
        yield data
        data = list(data.values())
    if isinstance(data, list):
        for member in data:
            yield from _walk(member)


def _find_number(data: JsonValue, pattern: str) -> float | None:
    """The first number under a key of this kind; the pattern's alternatives are tried in order."""
    for kind in pattern.split("|"):
        for member in _walk(data):
            for key, value in member.items():
                if kind in key.lower() and isinstance(value, int | float) and not isinstance(value, bool):
                    return float(value)
    return None


def _find_text(member: dict[str, JsonValue], pattern: str) -> str:
    """The text under a key of this kind; the pattern's alternatives are tried in order."""
    for kind in pattern.split("|"):
        for key, value in member.items():
            if kind in key.lower() and isinstance(value, str):
                return value
    return ""
