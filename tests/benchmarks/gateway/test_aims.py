"""Aims held against results."""

import pytest

from benchmarks.gateway.aims import AIMS, Aim, Verdict, judge
from benchmarks.gateway.measurement import Results, Sample, Spread
from benchmarks.gateway.tables import render_verdicts


def measured(cpu_us: dict[str, list[float]]) -> Results:
    results = Results({}, "", {})
    for subject, values in cpu_us.items():
        for number, value in enumerate(values):
            results.add("pinned-1kb", subject, Sample(1_000, 0, 1.0, value / 1_000, round=number))
    return results


def find(results: Results, what: str) -> Verdict:
    return next(verdict for verdict in judge(results) if verdict.aim.what == what)


OVER_NGINX = "CPU per pinned request, 1 KB, over nginx's"


@pytest.mark.parametrize(("ours", "met"), [([44.0, 43.0, 99.0], True), ([45.0, 46.0, 10.0], False)])
def test_an_aim_is_met_by_its_median(ours: list[float], met: bool) -> None:  # noqa: FBT001 - parametrized
    assert find(measured({"plano-agents": ours, "nginx": [20.0, 20.0, 20.0]}), OVER_NGINX).met is met


def test_an_aim_over_a_peer_that_is_not_there_is_not_judged() -> None:
    verdict = find(measured({"plano-agents": [50.0]}), OVER_NGINX)
    assert (verdict.measured, verdict.met) == (None, None)


def test_no_aim_needs_more_than_a_run_can_miss() -> None:
    assert [verdict.measured for verdict in judge(Results({}, "", {}))] == [None] * len(AIMS)


def test_a_small_ratio_is_told_as_a_fraction() -> None:
    aim = Aim("over LiteLLM's", 1 / 150, "×", lambda _: Spread(0, 0, 0))
    table = render_verdicts([Verdict(aim, Spread(1 / 200, 1 / 250, 1 / 100))])
    assert table.splitlines()[-1] == "| over LiteLLM's | 1/150 × | 1/200 × | 1/250 – 1/100 | met |"


def test_what_was_missed_and_what_was_not_measured_is_said() -> None:
    aim = Aim("start", 0.8, "s", lambda _: Spread(0, 0, 0))
    lines = render_verdicts([Verdict(aim, Spread(1.5, 1.25, 2.0)), Verdict(aim, None)]).splitlines()
    assert lines[2:] == [
        "| start | 0.8 s | 1.50 s | 1.25 – 2.00 | **missed** |",
        "| start | 0.8 s | – | – | not measured |",
    ]
