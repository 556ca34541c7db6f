"""The evidence so far about each database, and the database that it speaks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plano_agents.simulator.agent.database.readings import (
    Benchmark,
    CaseStudy,
    FeatureCheck,
    read_benchmark,
    read_case_studies,
    read_feature,
)
from plano_agents.simulator.agent.job import Finding

BENCHMARKS: Final = "get_db_benchmarks"
CASE_STUDIES: Final = "get_case_studies"
FEATURES: Final = "check_feature_support"

_POINTS = {"full": 2, "partial": 1, "none": 0}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was read out of the tools' answers."""

    benchmarks: tuple[Benchmark, ...]
    """The measurements, in the order of the calls."""
    studies: tuple[CaseStudy, ...]
    """The case studies, in the order of the answers."""
    features: tuple[FeatureCheck, ...]
    """The feature checks, in the order of the calls."""
    problems: tuple[str, ...]
    """What could not be had, a sentence each."""
    new_problems: tuple[str, ...]
    """Those of the last turn, which nothing was said about yet."""

    def benchmarks_of(self, workload: str) -> tuple[Benchmark, ...]:
        """The measurements under one workload."""
        return tuple(b for b in self.benchmarks if b.workload == workload)

    def choose(self, databases: tuple[str, ...]) -> str:
        """The database that the evidence speaks for.

        What the draft needs comes first (full support counts 2, partial 1), then the tail latency under the workload
        that was measured first, then the order of the databases.
        """

        def rank(database: str) -> tuple[float, float]:
            points = sum(_POINTS[check.support] for check in self.features if check.database == database)
            tails = [b.p99_ms for b in self.benchmarks if b.database == database]
            return -points, tails[0] if tails else float("inf")

        return min(databases, key=rank)


def gather_evidence(findings: Sequence[Finding]) -> Evidence:
    """Read what the tools have answered."""
    benchmarks: list[Benchmark] = []
    studies: list[CaseStudy] = []
    features: list[FeatureCheck] = []
    problems: list[tuple[str, bool]] = []
    for finding in findings:
        if finding.problem is not None:
            asked = ", ".join(str(value) for value in finding.call.arguments.values())
            problem = f"{finding.call.name} has no answer for {asked} ({finding.problem.rstrip('.')})."
            problems.append((problem, finding.is_new))
        elif finding.call.name == BENCHMARKS:
            benchmark = read_benchmark(finding)
            benchmarks += [benchmark] if benchmark is not None else []
        elif finding.call.name == CASE_STUDIES:
            studies += read_case_studies(finding)
        elif finding.call.name == FEATURES:
            check = read_feature(finding)
            features += [check] if check is not None else []
    return Evidence(
        benchmarks=tuple(benchmarks),
        studies=tuple(studies),
        features=tuple(features),
        problems=tuple(problem for problem, _ in problems),
        new_problems=tuple(problem for problem, is_new in problems if is_new),
    )
