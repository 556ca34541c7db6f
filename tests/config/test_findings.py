"""The number and length of the problems that are told."""

from plano_agents.config.findings import MAX_LINE_CHARACTERS, MAX_TOLD, Findings


def test_of_too_many_problems_the_first_are_told_and_the_others_counted() -> None:
    findings = Findings("c.yaml", {})
    for line in reversed(range(1, MAX_TOLD + 1_451)):
        findings.add_problem_on(line, "wrong")
    assert findings.problems[0] == "c.yaml:1: wrong"
    assert findings.problems[MAX_TOLD - 1 :] == (
        f"c.yaml:{MAX_TOLD}: wrong",
        "c.yaml: … and 1,450 more problems.",
    )


def test_as_many_problems_as_are_told_have_no_last_line() -> None:
    findings = Findings("c.yaml", {})
    for line in range(MAX_TOLD):
        findings.add_problem_on(line, "wrong")
    assert len(findings.problems) == MAX_TOLD
    assert findings.problems[-1].endswith(": wrong")


def test_a_problem_of_any_length_is_cut() -> None:
    findings = Findings("c.yaml", {})
    findings.add_problem((), "w" * 1_000_000)
    assert findings.problems == ("c.yaml:1: " + "w" * MAX_LINE_CHARACTERS + "…",)


def test_too_many_warnings_are_counted_too() -> None:
    findings = Findings("c.yaml", {})
    for number in range(MAX_TOLD + 1):
        findings.add_warning((), f"unused {number}")
    assert findings.warnings[-1] == "c.yaml: … and 1 more warnings."
