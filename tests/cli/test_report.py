"""``plano-agents report``: a router's report in plain words, as JSON, and what is said where there is none."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fastapi.encoders import jsonable_encoder

from plano_agents.cli.report import report_command
from plano_agents.router.watch.ghosts.days import Found
from plano_agents.router.watch.ghosts.ghost import Ghost
from plano_agents.router.watch.ghosts.report import build_report
from plano_agents.router.watch.ghosts.sums import Sums

Serve = Callable[[int, object], None]
BEGAN = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
DAY = date(2026, 11, 28)


class Desk:
    """A server that answers one thing, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (200, {})
        self.asked: list[str] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                desk.asked.append(self.path)
                status, content = desk.answer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def run(self, *arguments: str) -> Result:
        url = f"http://127.0.0.1:{self.server.server_port}"
        return CliRunner().invoke(report_command, ["--url", url, *arguments])


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.thread.start()
    try:
        yield desk
    finally:
        desk.server.shutdown()
        desk.thread.join()
        desk.server.server_close()


def report(sums: Sums | None, *, observe: float = 0.05, is_shared: bool = True, is_degraded: bool = False) -> Any:  # noqa: ANN401 - JSON
    days = {DAY: {observe: sums}} if sums is not None else {}
    built = build_report(
        Found(days, is_shared, is_degraded), observe=observe, since=date(2026, 11, 1), began_at=BEGAN.timestamp()
    )
    return jsonable_encoder(built)


def count(pinned: int, switches: int, others: int, *, usd: float = 0.03) -> Sums:
    sums = Sums(pinned=pinned)
    for number in range(switches + others):
        is_switch = number < switches
        before = "openai/big" if is_switch else "openai/small"
        sums.add(Ghost("openai/small", 8.0, before, 2_000, 1_500 if is_switch else 0, 0.02, usd))
    return sums


def test_a_report_says_what_was_saved_what_it_rests_on_and_how_sure_it_is(desk: Desk) -> None:
    desk.answer = 200, report(count(2_000, 30, 70))
    said = desk.run()
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0] == "What affinity saved, since 2026-11-28 (UTC), on all routers that share the"
    text = " ".join(said.output.split())
    assert "100 of 2,000 pinned turns were routed beside their requests (routing.observe 0.05)." in text
    assert "would-be switches 30 600 441 to 787" in text
    assert "of all turns 30.0 % 22.1 % to 39.3 %" in text
    assert "prompt tokens 200,000" in text
    assert "read anew 45,000 900,000 636,049 to 1,163,951" in text
    assert "list price with affinity $2.00" in text
    assert "list price without $3.00" in text
    assert "saved $1.00 $20.00" in text
    assert "routing time 800 ms 16.0 s" in text
    assert "95 % margin" in text
    assert all(len(line) <= 80 for line in lines)


def test_json_is_what_the_router_answers(desk: Desk) -> None:
    answer = report(count(2_000, 30, 70))
    desk.answer = 200, answer
    assert json.loads(desk.run("--json").stdout) == answer


def test_too_few_turns_have_no_margin_and_it_says_so(desk: Desk) -> None:
    desk.answer = 200, report(count(100, 3, 2))
    text = " ".join(desk.run().output.split())
    assert "read anew 4,500 90,000 –" in text  # noqa: RUF001 - a dash
    assert "From fewer than 30 turns, or turns that are all alike, no margin can be computed." in text


def test_what_affinity_cost_more_stands_below_nothing(desk: Desk) -> None:
    desk.answer = 200, report(count(200, 10, 90, usd=0.01))
    text = " ".join(desk.run().output.split())
    assert "saved -$1.00 -$2.00" in text
    assert "Below 0: the models that were kept cost more" in text


def test_without_a_shared_store_it_says_since_when_it_counts(desk: Desk) -> None:
    desk.answer = 200, report(count(200, 10, 90), is_shared=False)
    text = " ".join(desk.run().output.split())
    assert "since 2026-11-27 09:30 UTC, when this router started; without Redis nothing older is kept" in text


def test_in_an_outage_it_says_whose_sums_these_are(desk: Desk) -> None:
    desk.answer = 200, report(count(200, 10, 90), is_degraded=True)
    assert "The session store does not answer: these are the sums of one process." in desk.run().stderr


@pytest.mark.parametrize(
    ("sums", "observe", "words"),
    [
        (None, 0.0, "routing.observe is 0, so no turn is routed beside its request. Set a share"),
        (None, 0.05, "no turn was decided by its pin and answered well. routing.observe is 0.05."),
        (Sums(pinned=9), 0.05, "none of 9 pinned turns was routed beside."),
    ],
)
def test_without_data_it_says_so_plainly(desk: Desk, sums: Sums | None, observe: float, words: str) -> None:
    desk.answer = 200, report(sums, observe=observe)
    said = desk.run()
    assert said.exit_code == 0
    assert words in " ".join(said.output.split())
    assert "$" not in said.output


def test_turns_that_were_not_routed_are_told(desk: Desk) -> None:
    sums = count(200, 10, 90)
    sums.dropped, sums.failed = 4, 2
    desk.answer = 200, report(sums)
    assert "Not routed: 4 for want of room, 2 whose routing failed." in desk.run().output


@pytest.mark.parametrize(
    "error",
    [
        {"message": "GET /report is not served here.", "code": "endpoint_not_found"},
        {"message": "A client key is needed and none that is known was given.", "code": "invalid_api_key"},
    ],
)
def test_an_older_router_is_told_as_one(desk: Desk, error: dict[str, str]) -> None:
    desk.answer = (404 if error["code"] == "endpoint_not_found" else 401), {"error": error}
    said = desk.run()
    assert said.exit_code == 1
    assert "This router makes no report: it is of an older version." in said.output


@pytest.mark.parametrize(("given", "days"), [("1d", 0), ("7d", 6)])
def test_since_takes_a_day_or_how_many_days(desk: Desk, given: str, days: int) -> None:
    desk.answer = 200, report(None)
    before = datetime.now(UTC).date()
    assert desk.run("--since", given).exit_code == 0
    assert desk.run("--since", "2026-11-20").exit_code == 0
    first, second = desk.asked
    assert first in {f"/report?since={day - timedelta(days=days)}" for day in (before, datetime.now(UTC).date())}
    assert second == "/report?since=2026-11-20"


@pytest.mark.parametrize("given", ["yesterday", "0d", "2026-13-01", "9999d9"])
def test_a_since_that_is_no_day_is_refused(desk: Desk, given: str) -> None:
    said = desk.run("--since", given)
    assert said.exit_code == 2
    assert f"{given!r} is not a day. Write one such as" in said.output
    assert desk.asked == []


def test_a_real_router_answers(named_router: str) -> None:
    said = CliRunner().invoke(report_command, ["--url", named_router])
    assert said.exit_code == 0, said.output
    assert "routing.observe is 0, so no turn is routed beside" in " ".join(said.output.split())
