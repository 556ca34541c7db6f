"""The metrics' page, dashboard and alerts tell of the metrics that there are, and Prometheus' own tool takes them."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from plano_agents.observe import exposition
from scripts.site.metrics import PAGE, list_tallies, name_samples, render_page

DASHBOARD = PAGE.with_name("grafana-dashboard.json")
ALERTS = PAGE.with_name("prometheus-alerts.yaml")
PROMTOOL = shutil.which("promtool")

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None and "PLANO_REQUIRE_SERVERS" not in os.environ,
    reason="promtool, of Debian's prometheus, is not installed",
)


def names() -> set[str]:
    return {name for tallies in list_tallies().values() for tally in tallies for name in name_samples(tally)}


def find_names(text: str) -> set[str]:
    return set(re.findall(r"\bplano_\w+", text))


def list_queries() -> list[str]:
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


def test_the_page_lists_what_is_counted() -> None:
    assert render_page(PAGE.read_text()) == PAGE.read_text()


def test_no_two_metrics_have_one_name() -> None:
    found = [tally.name for tallies in list_tallies().values() for tally in tallies]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("path", [DASHBOARD, ALERTS], ids=lambda path: path.name)
def test_only_metrics_that_there_are_are_asked_for(path: Path) -> None:
    assert find_names(path.read_text()) - names() == set()


def test_the_pages_queries_ask_for_metrics_that_there_are() -> None:
    queries = re.findall(r"^\| .*\? \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert len(queries) >= 5
    assert find_names(" ".join(queries)) - names() == set()


def test_every_panel_has_a_title_and_its_own_number_and_place() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert all(panel["title"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


@needs_promtool
@pytest.mark.parametrize("name", ["router", "agent server"])
def test_prometheus_finds_nothing_wrong_with_names_and_texts(name: str) -> None:
    assert PROMTOOL is not None
    page = exposition.render(list_tallies()[name])
    asyncio.run(exposition.load())
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")


@needs_promtool
def test_prometheus_reads_the_alerts() -> None:
    assert PROMTOOL is not None
    subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)], check=True, capture_output=True)


@needs_promtool
def test_prometheus_reads_the_dashboards_queries(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    queries = [
        query.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$job", ".*")
        for query in list_queries()
    ]
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    checked = subprocess.run(
        [PROMTOOL, "check", "rules", str(tmp_path / "rules.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
