"""Threads whose rows somebody else wrote: nothing of them runs, and the client is told which thread it is."""

import logging
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent_server.conftest import Script
from tests.agent_server.hostile_rows import list_hostile, message, name, pack
from tests.agent_server.stored_rows import THREAD, execute, set_metadata, tamper
from tests.agent_server.test_checkpoints import start
from tests.faults.postgres_server import PostgresServer

Asked = tuple[str, str, dict[str, Any] | None]
"""A method, a path and a body."""

RUN: dict[str, Any] = {"input": "hi", "thread_id": THREAD}
AG_UI: dict[str, Any] = {
    "threadId": THREAD,
    "runId": "r-1",
    "state": {},
    "messages": [{"id": "m-1", "role": "user", "content": "hi"}],
    "tools": [],
    "context": [],
    "forwardedProps": {},
}
REQUESTS: list[Asked] = [
    ("GET", f"/threads/{THREAD}", None),
    ("DELETE", f"/threads/{THREAD}", None),
    ("POST", "/agent/run", RUN),
    ("POST", "/ag-ui", AG_UI),
]


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/threads.sqlite"
    server: PostgresServer = request.getfixturevalue("database")
    return server.url


@pytest.fixture
async def client(url: str) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A server with two threads."""
    async with start(Script(("gpt-4o",)), url) as opened:
        if url.startswith("postgresql"):
            execute(url, "TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
        for thread_id in (THREAD, "good"):
            ran = await opened.post("/agent/run", json={**RUN, "thread_id": thread_id})
            assert ran.status_code == 200
        yield opened


async def ask(client: httpx.AsyncClient, asked: Asked) -> httpx.Response:
    method, path, body = asked
    return await client.request(method, path, json=body)


@pytest.mark.parametrize("where", ["state", "write"])
async def test_a_hostile_row_runs_nothing_and_is_told_by_its_thread(
    client: httpx.AsyncClient, url: str, where: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    ran, answers = [], []
    for told, build in list_hostile():
        tamper(url, where, build(canary))
        answers.append(await client.get(f"/threads/{THREAD}"))
        ran += [told] if canary.exists() else []
    assert ran == []
    assert {(each.status_code, each.json()["error"]["code"]) for each in answers} == {(500, "thread_unreadable")}
    assert all(repr(THREAD) in each.text and str(canary) not in each.text for each in answers)
    assert (await client.get("/threads/good")).status_code == 200


@pytest.mark.parametrize("asked", REQUESTS)
async def test_every_endpoint_refuses_a_hostile_thread(
    client: httpx.AsyncClient, url: str, tmp_path: Path, asked: Asked
) -> None:
    canary = tmp_path / "canary"
    tamper(url, "state", dict(list_hostile())["os.system"](canary))
    answer = await ask(client, asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "thread_unreadable")
    assert not canary.exists()


@pytest.mark.parametrize("where", ["state", "write"])
async def test_a_refused_type_is_one_log_line_without_what_the_row_holds(
    client: httpx.AsyncClient, url: str, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tamper(url, where, pack(message(content="canary-content", name=name(0, "os", "system", "canary-argument"))))
    caplog.clear()
    await client.get(f"/threads/{THREAD}")
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    assert [("os.system" in line, f'"{THREAD}"' in line) for line in lines] == [(True, True)]
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "row",
    [
        pack(["canary", 1]),
        pack({"v": 4, "id": "canary", "channel_values": {"messages": "canary"}}),
        pack([message(content=5, additional_kwargs="canary")]),
        ("msgpack", b"\xc1canary"),
        ("json", b"{canary"),
        ("null", b""),
    ],
)
@pytest.mark.parametrize("asked", REQUESTS[:3])
async def test_a_row_of_another_form_is_told_as_such_and_not_logged(
    client: httpx.AsyncClient,
    url: str,
    caplog: pytest.LogCaptureFixture,
    row: tuple[str, bytes],
    asked: Asked,
) -> None:
    tamper(url, "state", row)
    answer = await ask(client, asked)
    if answer.status_code >= 400:
        assert answer.json()["error"]["code"] == "thread_unreadable"
    assert "canary" not in caplog.text + answer.text


@pytest.mark.parametrize("metadata", ["[1]", '"canary"', "5", '{"plano_owner": ["canary"], "lc": 1}'])
async def test_metadata_of_another_form_are_told_as_such(
    client: httpx.AsyncClient, url: str, caplog: pytest.LogCaptureFixture, metadata: str
) -> None:
    set_metadata(url, metadata)
    answer = await client.get(f"/threads/{THREAD}")
    assert answer.json()["error"]["code"] in {"thread_unreadable", "thread_not_found"}
    assert "canary" not in caplog.text + answer.text
