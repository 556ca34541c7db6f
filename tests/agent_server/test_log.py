"""The log: a line for each run, none that what is said could break, and nothing of what is said by default."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langchain_core.tools import tool

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server.app import create_app
from plano_agents.observe.log import Form, JsonFormatter, TextFormatter, configure_log, leave_plain
from tests.agent_server.conftest import Script, build_graph, call_app, connect

HOSTILE = 'secret\n2026-01-01 ERROR root: forged\r\x1b[2J\u2028\x85\x00\x7f"\ud83d'


@tool
def shout(city: str) -> str:
    """Say something hostile."""
    return HOSTILE + city


async def run(caplog: pytest.LogCaptureFixture, *, log_content: bool) -> list[str]:
    caplog.set_level(logging.INFO, "plano_agents")
    formatter = TextFormatter(leave_plain, local_time=False, log_content=log_content)
    script = Script(models=("gpt-\n4o", "gpt-\n4o"), tool="shout")
    async with call_app(build_graph(script, shout), log_content=log_content) as client:
        body = {"input": HOSTILE.encode("utf-8", "replace").decode(), "thread_id": "t\n1"}
        response = await client.post("/agent/run", json=body, headers={AFFINITY_HEADER: "mine"})
        assert response.status_code == 200
    return [formatter.write(record) for record in caplog.records if record.name.startswith("plano_agents")]


async def test_a_run_is_one_line_that_holds_nothing_of_what_was_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = await run(caplog, log_content=False)
    assert len(lines) == 1
    assert "secret" not in lines[0]
    assert 'affinity="mine" thread="t\\n1" turns=2 models="gpt-\\n4o" switches=0' in lines[0]


async def test_hostile_prompts_and_results_make_one_escaped_line_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = await run(caplog, log_content=True)
    assert len(lines) == 5  # the input, two results, the end, the output
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert "forged" in lines[0]
    assert "\\u001b[2J" in lines[1]


async def test_a_run_that_fails_is_a_line_without_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError("secret")

    caplog.set_level(logging.INFO, "plano_agents")
    async with call_app(build_graph(Script(wait=fail))) as client:
        await client.post("/agent/run", json={"input": "secret"})
    assert [record.levelname for record in caplog.records if record.name.startswith("plano")] == ["ERROR"]
    assert "secret" not in caplog.text


async def test_a_run_that_is_cancelled_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    caplog.set_level(logging.INFO, "plano_agents")
    async with call_app(build_graph(Script(wait=hang)), run_seconds=0.05, affinity="thread") as client:
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("plano")]
    assert 'cancelled affinity="thread-' in line


async def test_a_run_is_an_object_where_machines_read(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "plano_agents")
    async with call_app(build_graph(Script(models=("gpt-4o",)))) as client:
        await client.post("/agent/run", json={"input": "secret"}, headers={AFFINITY_HEADER: "mine"})
    (record,) = [record for record in caplog.records if record.name.startswith("plano_agents")]
    told = json.loads(JsonFormatter(log_content=False).write(record))
    assert (told["event"], told["outcome"], told["affinity"], told["turns"]) == ("run", "done", "mine", 1)
    assert "secret" not in str(told)


async def test_a_bug_is_one_line_with_its_place_and_an_error_in_our_form(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(build_graph(Script()))

    @app.get("/bug")
    async def fail() -> None:
        raise KeyError("secret")

    async with connect(app) as client:
        answer = await client.get("/bug")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    (line,) = [str(record.msg) for record in caplog.records if record.name.startswith("plano")]
    assert f"unexpected error (KeyError at {__file__}" in line
    assert "secret" not in answer.text + line


@tool
def look_up(city: str) -> str:
    """Look a city up."""
    raise LookupError(f'no row for {city}: "\n\x1b')


def find_line(name: str) -> int:
    """The line in this file where a tool raises."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if f"raise {name}(" in line)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_failing_tools_message_and_place_are_one_escaped_field_at_level_debug(form: Form) -> None:
    """A person on call finds both in one look: the message first, then the place where it was raised."""
    out, err = io.StringIO(), io.StringIO()
    with restored_log():
        configure_log("debug", form, environ={}, out=out, err=err)
        async with call_app(build_graph(Script(cities=("Oslo",)), look_up)) as client:
            response = await client.post("/agent/run", json={"input": "hi"})
    assert response.status_code == 500
    assert "no row" not in response.text
    lines = err.getvalue().splitlines()
    assert all(line.isascii() and line.isprintable() for line in lines)
    (line,) = [line for line in lines if "tool=" in line and "failed" in line]
    told = json.loads(line)["error"] if form == "json" else json.loads(line.partition(" error=")[2])
    assert told["message"] == 'no row for Oslo: "\n\x1b'
    assert told["at"][0] == f"{__file__}:{find_line('LookupError')} in look_up"
    assert [line for line in lines if "run run_" in line and "failed (LookupError at" in line and "no row" in line]


async def test_a_failing_tools_place_alone_is_told_at_level_info() -> None:
    err = io.StringIO()
    with restored_log():
        configure_log("info", environ={}, out=io.StringIO(), err=err)
        async with call_app(build_graph(Script(cities=("Oslo",)), look_up)) as client:
            await client.post("/agent/run", json={"input": "hi"})
    assert f'tool="look_up" failed (LookupError at {__file__}:{find_line("LookupError")})' in err.getvalue()
    assert "no row" not in err.getvalue()


async def test_level_debug_tells_each_call_of_a_run_and_nothing_of_what_was_said() -> None:
    out = io.StringIO()
    with restored_log():
        configure_log("debug", environ={}, out=out, err=io.StringIO())
        async with call_app(build_graph(Script())) as client:
            await client.post(
                "/agent/run", json={"input": "secret", "thread_id": "t-1"}, headers={AFFINITY_HEADER: "mine"}
            )
    told = out.getvalue()
    assert 'began affinity="mine" thread="t-1" messages=1' in told
    assert (
        'turn=1 model="gpt-4o" route="lookup" decision="initialize" reason="first_turn" tools="look_up,look_up"' in told
    )
    assert 'turn=1 tool="look_up" answered' in told
    assert "secret" not in told


@contextmanager
def restored_log() -> Iterator[None]:
    """Leave the log as it was."""
    root, own = logging.getLogger(), logging.getLogger("plano_agents")
    before = root.handlers[:], root.level, own.level
    try:
        yield
    finally:
        root.handlers[:], root.level, own.level = before[0], before[1], before[2]
        root.setLevel(before[1])
        own.setLevel(before[2])
        logging.captureWarnings(capture=False)
