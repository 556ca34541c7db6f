"""Real routers of several processes: one port, one configuration, one end."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.children import has_ended
from tests.faults.redis_server import RedisServer
from tests.faults.router_process import RouterProcess, start_router, until_refused, write_config
from tests.router.conftest import CLAUDE, GPT, chat
from tests.router.raw_client import COMPLETION, build_request, complete, open_to, talk

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who serves is read from Linux's /proc")

METRICS = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
SHARED = {"session_cache": {"type": "redis", "url": "redis://127.0.0.1:1"}}


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a killed router leaves behind, its directory of metrics, in the test's own folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@asynccontextmanager
async def two_workers(folder: Path, provider: FakeUpstream) -> AsyncGenerator[RouterProcess, None]:
    config = write_config(folder, {GPT: provider.url}, routing=SHARED)
    async with start_router(config, "--workers", "2") as router:
        yield router


async def ask_until_all_answered(
    router: RouterProcess, count: int = 2, request: bytes | None = None
) -> dict[int, bytes]:
    """Ask on new connections until so many workers have answered: their process ids and bodies."""
    found: dict[int, bytes] = {}
    while len(found) < count:
        async with open_to(router.url) as (reader, writer):
            writer.write(request or build_request(method="GET", path="/v1/models", close=False))
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            assert length is not None
            body = await reader.readexactly(int(length[1]))
            found[router.find_server(writer.get_extra_info("sockname")[1])] = body
    return found


def list_models(bodies: dict[int, bytes]) -> list[list[str]]:
    return [[model["id"] for model in json.loads(body)["data"]] for body in bodies.values()]


def count_metrics_directories(folder: Path) -> int:
    return len(list(folder.glob("plano-agents-metrics-*")))


async def test_every_worker_serves_the_port_and_the_one_who_started_them_has_but_one_thread(
    tmp_path: Path,
) -> None:
    """A process with several threads must not fork."""
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        bodies = await ask_until_all_answered(router, request=build_request(chat(), close=False))
        assert list(bodies.values()) == [COMPLETION, COMPLETION]
        assert len(router.children - set(bodies)) == 1, "what remembers for the inspector"
        assert router.threads == 1


async def test_a_killed_worker_is_replaced_and_service_goes_on(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        killed, other = await ask_until_all_answered(router)
        os.kill(killed, signal.SIGKILL)
        answers = await asyncio.gather(*(talk(router.url, build_request(chat())) for _ in range(20)))
        assert [status for status, _, _ in answers] == [200] * 20
        now = await ask_until_all_answered(router)
        assert (other in now, killed in now) == (True, False)
        assert f"(process {killed}) ended by signal 9 (Killed)" in await router.read_errors_until("a new one\n")


async def test_told_to_stop_under_load_every_worker_finishes_what_it_has_and_nobody_is_left(
    tmp_path: Path,
) -> None:
    all_asked, release = asyncio.Event(), asyncio.Event()

    async def hold(exchange: UpstreamExchange) -> None:
        if len(provider.exchanges) == 40:
            all_asked.set()
        await release.wait()
        await complete(exchange)

    async with FakeUpstream(hold) as provider, two_workers(tmp_path, provider) as router:
        workers = router.children
        asking = [asyncio.create_task(talk(router.url, build_request(chat()))) for _ in range(40)]
        await all_asked.wait()
        router.process.send_signal(signal.SIGTERM)
        await until_refused(router.url)
        release.set()
        answers = await asyncio.gather(*asking)
        await router.read_until("stopped")
        assert await router.process.wait() == 0
        assert all(map(has_ended, workers))
    assert [status for status, _, _ in answers] == [200] * 40


async def test_no_worker_outlives_a_router_that_is_killed(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        workers = router.children
        router.process.kill()
        assert len(workers) == 3
        assert all(map(has_ended, workers))


async def test_a_new_configuration_reaches_every_worker_and_is_told_once(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        before = await ask_until_all_answered(router)
        write_config(tmp_path, {GPT: provider.url, CLAUDE: provider.url}, routing=SHARED)
        router.process.send_signal(signal.SIGHUP)
        await router.read_until("configuration reloaded")
        after = await ask_until_all_answered(router)
        assert after.keys() == before.keys()
        assert (list_models(before), list_models(after)) == ([[GPT]] * 2, [[GPT, CLAUDE]] * 2)
        router.process.terminate()
        assert router.process.stdout is not None
        assert await router.process.stdout.read() == b"stopped\n"


@pytest.mark.parametrize(
    ("model", "routing", "told"),
    [
        (CLAUDE, None, "--workers 2: pins are kept in each worker's own memory"),
        ("amazon_bedrock/nova", SHARED, "amazon_bedrock"),
    ],
)
async def test_a_configuration_that_cannot_be_used_changes_nothing_and_is_told_once(
    tmp_path: Path, model: str, routing: dict[str, object] | None, told: str
) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        before = await ask_until_all_answered(router)
        write_config(tmp_path, {model: provider.url}, routing=routing)
        router.process.send_signal(signal.SIGHUP)
        said = await router.read_errors_until("the old configuration stays\n")
        assert await ask_until_all_answered(router) == before
        _, rest = await router.stop()
    assert ((said + rest).count(told), (said + rest).count("stays")) == (1, 1)


async def test_a_configuration_that_no_worker_can_serve_is_told_once_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    overrides = {"upstream_tls_ca_path": str(tmp_path / "nope.pem")}
    config = write_config(tmp_path, {GPT: "http://127.0.0.1:1"}, routing=SHARED)
    config.write_text(json.dumps(json.loads(config.read_text()) | {"overrides": overrides}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "plano_agents", "up", str(config), "--port", "0", "--workers", "3"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    # Both streams have ended, so nobody is left who could write to them.
    assert (process.returncode, out, errors.count(b"error: "), errors.count(b"nope.pem")) == (1, b"", 1, 1)


async def test_simulated_models_are_one_process_for_all_workers_and_replaced_like_them(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, {GPT: "http://127.0.0.1:1"}, routing=SHARED)
    async with start_router(config, "--workers", "2", "--offline", "--fast") as router:
        request = build_request(chat(), close=False)
        workers = await ask_until_all_answered(router, request=request)
        assert len(router.children) == 4
        simulator = max(router.children - set(workers))  # started last; the other remembers for the inspector
        os.kill(simulator, signal.SIGKILL)
        assert "simulated models (process" in await router.read_errors_until("a new one\n")
        assert set(await ask_until_all_answered(router, request=request)) == set(workers)


async def test_whichever_worker_is_asked_the_metrics_count_all_workers_requests(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        await ask_until_all_answered(router, request=build_request(chat(), close=False))
        pages = await ask_until_all_answered(router, request=METRICS)
    wanted = f'decision="none",degraded="",reason=""}} {float(len(provider.exchanges))}'
    assert [wanted in page.decode() for page in pages.values()] == [True, True]


async def test_a_session_keeps_its_model_whichever_worker_is_asked(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as redis, FakeUpstream(complete) as provider:
        config = write_config(
            tmp_path, {GPT: provider.url}, routing={"session_cache": {"type": "redis", "url": redis.url}}
        )
        async with start_router(config, "--workers", "2") as router:
            request = build_request(chat(), "x-model-affinity: run-1", close=False)
            await ask_until_all_answered(router, request=request)
            (page, _) = (await ask_until_all_answered(router, request=METRICS)).values()
            code, errors = await router.stop()
    assert (code, errors) == (0, "")
    counts = re.findall(rb'decision="(\w+)",degraded="",reason="\w+"\} (\d+)', page)
    assert dict(counts) == {b"initialize": b"1", b"retain": b"%d" % (len(provider.exchanges) - 1)}


async def test_the_directory_of_shared_metrics_goes_with_the_router(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider, two_workers(tmp_path, provider) as router:
        assert count_metrics_directories(tmp_path) == 1
        await router.stop()
    assert count_metrics_directories(tmp_path) == 0


async def test_whichever_worker_is_watched_the_inspector_tells_of_all_workers_requests(
    tmp_path: Path,
) -> None:
    watch = build_request(method="GET", path="/inspector/api/events", close=False).replace(b"router", b"localhost")
    async with (
        FakeUpstream(complete) as provider,
        two_workers(tmp_path, provider) as router,
        AsyncExitStack() as opened,
    ):
        watched: dict[int, asyncio.StreamReader] = {}
        while len(watched) < 2:
            reader, writer = await opened.enter_async_context(open_to(router.url))
            writer.write(watch)
            await reader.readuntil(b"retry: ")
            watched[router.find_server(writer.get_extra_info("sockname")[1])] = reader
        request = build_request(chat(), "x-model-affinity: run-1", close=False)
        await ask_until_all_answered(router, request=request)
        for reader in watched.values():
            await reader.readuntil(b'"counts":{"turns":%d,' % len(provider.exchanges))
