"""Stores of threads: a file by default, Postgres by URL, and their reading by another process."""

import asyncio
import stat
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.checkpoints import check_checkpoints_url, open_checkpoints
from plano_agents.agent_server.settings import build_settings
from plano_agents.errors import ConfigError
from tests.agent_server.conftest import Script, build_graph, call_transport
from tests.faults.postgres_server import PostgresServer


@asynccontextmanager
async def start(script: Script, url: str | None = None, **options: object) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A server with its lifespan, as a process would have it; a second one stands for another process."""
    app = create_app(build_graph(script, remember=False), build_settings(checkpoints=url, **options))
    async with app.router.lifespan_context(app), call_transport(httpx.ASGITransport(app)) as client:
        yield client


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """An empty store."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/threads.sqlite"
        return
    with PostgresServer() as server:
        yield server.url


async def test_a_thread_goes_on_in_another_process(url: str) -> None:
    script = Script(("gpt-4o",))
    body = {"input": "Which city?", "thread_id": "t-1"}
    async with start(script, url) as client:
        first = (await client.post("/agent/run", json=body)).json()
    async with start(script, url) as client:
        second = (await client.post("/agent/run", json={**body, "input": "And now?"})).json()
        history = (await client.get("/threads/t-1")).json()
    assert [message.text for message in script.asked[-1].messages] == [
        "Which city?",
        first["output"],
        "And now?",
    ]
    assert second["affinity_id"] == history["affinity_id"] != first["affinity_id"]
    assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 2


async def test_twenty_threads_at_once_are_all_kept(url: str) -> None:
    async with start(Script(), url) as client:
        bodies = [{"input": f"say {number}", "thread_id": f"t-{number}"} for number in range(20)]
        answers = await asyncio.gather(*(client.post("/agent/run", json=body) for body in bodies))
        kept = [(await client.get(f"/threads/{body['thread_id']}")).json() for body in bodies]
    assert {answer.status_code for answer in answers} == {200}
    assert [thread["messages"][0]["content"] for thread in kept] == [body["input"] for body in bodies]


async def test_a_deleted_thread_is_gone(url: str) -> None:
    async with start(Script(), url) as client:
        await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
        assert (await client.delete("/threads/t-1")).status_code == 204
        assert (await client.get("/threads/t-1")).status_code == 404


async def test_threads_are_kept_in_a_file_of_the_working_directory_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with start(Script()) as client:
        assert (await client.post("/agent/run", json={"input": "hi", "keep_thread": True})).json()["thread_id"]
    assert stat.S_IMODE((tmp_path / "threads.sqlite").stat().st_mode) == 0o600


async def test_a_thread_is_refused_while_another_server_runs_it() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        entered.set()
        await go_on.wait()

    body = {"input": "hi", "thread_id": "t-1"}
    with PostgresServer() as server:
        async with AsyncExitStack() as stack:
            one = await stack.enter_async_context(start(Script(wait=pause), server.url))
            two = await stack.enter_async_context(start(Script(), server.url))
            three = await stack.enter_async_context(start(Script(), server.url, busy_threads="queue"))
            first = asyncio.create_task(one.post("/agent/run", json=body))
            await entered.wait()
            refused = await two.post("/agent/run", json=body)
            queued = asyncio.create_task(three.post("/agent/run", json=body))
            go_on.set()
            assert (await first).status_code == 200
            assert (await queued).status_code == 200
            again = await two.post("/agent/run", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "thread_busy")
    assert again.status_code == 200


async def test_a_postgres_that_is_gone_is_a_503_and_comes_back() -> None:
    with PostgresServer() as server:
        async with start(Script(), server.url) as client:
            server.stop()
            gone = await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
            server.start()
            back = await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "store_unavailable")
    assert back.status_code == 200


async def test_a_postgres_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9/agents") as caught:
        async with open_checkpoints("postgresql://me:secret@127.0.0.1:9/agents"):
            pass
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("path", ["nowhere/threads.sqlite", "folder"])
async def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=path):
        async with open_checkpoints(f"sqlite:///{tmp_path}/{path}"):
            pass


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "threads.sqlite"
    path.write_text("not a database, and long enough to be read as the header of one " * 20)
    with pytest.raises(ConfigError, match=r"threads\.sqlite.*not a database"):
        async with open_checkpoints(f"sqlite:///{path}"):
            pass


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "threads.sqlite", "sqlite:///", ""])
def test_a_url_of_another_kind_is_refused_with_those_there_are(url: str) -> None:
    with pytest.raises(ValueError, match=r"'sqlite:///threads\.sqlite'") as caught:
        check_checkpoints_url(url)
    assert "secret" not in str(caught.value)


async def test_a_server_whose_lifespan_did_not_run_says_so() -> None:
    app = create_app(build_graph(Script(), remember=False))
    async with call_transport(httpx.ASGITransport(app)) as client:
        response = await client.post("/agent/run", json={"input": "hi", "thread_id": "t-1"})
    assert response.status_code == 500
    assert "lifespan_context" in response.json()["error"]["message"]


async def test_servers_that_start_together_on_an_empty_postgres_all_come_up() -> None:
    with PostgresServer() as server:

        async def begin(number: int) -> int:
            async with start(Script(), server.url) as client:
                return (await client.post("/agent/run", json={"input": "hi", "thread_id": f"t-{number}"})).status_code

        assert await asyncio.gather(*map(begin, range(4))) == [200] * 4
