"""Traces of routers that are processes: workers, a dead collector, the end; a router without them loads nothing."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from plano_agents.cli.main import cli
from plano_agents.cli.up import describe
from plano_agents.config.options import Tracing
from plano_agents.testing import FakeUpstream
from tests.faults.router_process import RouterProcess, start_router, write_config
from tests.observe.spans.collector import Seen, grpc_collector
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port
from tests.router.conftest import COMPLETE, GPT, build_config, chat
from tests.router.raw_client import build_request, open_to

SHARED = {"session_cache": {"type": "redis", "url": "redis://127.0.0.1:1"}}

WITHOUT = """
import asyncio, sys
import httpx
from plano_agents import processes
from plano_agents.cli import main as cli, serve as cli_serve, up as cli_up
from plano_agents.config.model import Config, Model
from plano_agents.errors import UpstreamUnreachableError
from plano_agents.router.app import Router

class Nobody:
    async def send(self, request):
        raise UpstreamUnreachableError("nobody is there")

async def main() -> None:
    router = Router(Config(models=(Model("openai/gpt-4o", "openai", "gpt-4o", interface="openai"),)), Nobody())
    listener = processes.bind("127.0.0.1", 0)
    async with (
        processes.running([processes.Site(router, listener)]),
        httpx.AsyncClient(base_url=processes.url_of(listener), trust_env=False) as client,
    ):
        answer = await client.post("/v1/chat/completions", json={"messages": []})
        assert answer.json()["error"]["code"] == "upstream_unreachable", answer.text
    await router.aclose()

asyncio.run(main())
LIBRARY = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto")
print([name for name in sys.modules if name.partition(".")[0] in {"grpc", "google"} or name.startswith(LIBRARY)])
"""


def write_traced(
    folder: Path,
    provider: FakeUpstream,
    collector: str,
    routing: Mapping[str, object] | None = None,
    **tracing: object,
) -> Path:
    path = write_config(folder, {GPT: provider.url}, routing=routing)
    document = yaml.safe_load(path.read_text())
    document["tracing"] = {"random_sampling": 100, "opentracing_grpc_endpoint": collector, **tracing}
    path.write_text(yaml.safe_dump(document))
    return path


async def ask(router: RouterProcess) -> int:
    """Ask once; which worker answered, if there are several."""
    async with open_to(router.url) as (reader, writer):
        writer.write(build_request(body=chat(), close=False))
        await reader.readuntil(b"\r\n\r\n")
        return router.find_server(writer.get_extra_info("sockname")[1]) if router.children else 0


def count(spans: Sequence[Seen]) -> int:
    return len([span for span in spans if span.kind == "SERVER"])


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="who serves is read from Linux's /proc")
async def test_each_worker_sends_its_own_spans(tmp_path: Path) -> None:
    with grpc_collector() as collector:
        async with FakeUpstream(COMPLETE) as provider:
            config = write_traced(tmp_path, provider, collector.url, SHARED)
            async with start_router(config, "--workers", "2") as router:
                served: list[int] = []
                while len(set(served)) < 2:
                    served.append(await ask(router))
                code, _ = await router.stop()
        assert code == 0
        assert count(collector.spans) == len(served)


async def test_what_is_queued_at_sigterm_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    with grpc_collector() as collector:
        async with (
            FakeUpstream(COMPLETE) as provider,
            start_router(write_traced(tmp_path, provider, collector.url)) as router,
        ):
            await ask(router)
            assert collector.spans == []
            code, _ = await router.stop()
        assert code == 0
        assert count(collector.spans) == 1


async def test_a_dead_collector_is_one_line_however_much_is_asked_and_no_request_is_worse_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    url = f"http://127.0.0.1:{free_port()}"
    async with (
        FakeUpstream(COMPLETE) as provider,
        start_router(write_traced(tmp_path, provider, url)) as router,
    ):
        for _ in range(50):
            await ask(router)
        said = await router.read_errors_until("\n")
        assert re.match(rf"\S+  WARNING  traces do not reach {url} \(OTLP, grpc\)", said)
        for _ in range(50):
            await ask(router)
        async with asyncio.timeout(PATIENCE_SECONDS):
            code, errors = await router.stop()
    assert (code, errors) == (0, "")


def test_what_is_traced_and_where_to_is_said_at_start() -> None:
    config = build_config(GPT)
    assert "traces" not in describe(config, "http://r", None)
    tracing = Tracing(random_sampling=25, opentracing_grpc_endpoint="http://collector:4317")
    said = describe(replace(config, tracing=tracing), "http://r", None)
    assert "  traces      25 % of requests, to http://collector:4317 (OTLP, grpc)" in said


async def test_without_the_extra_a_checked_configuration_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeUpstream(COMPLETE) as provider:
        config = write_traced(tmp_path, provider, "http://127.0.0.1:4317")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["config", "check", str(config)])
    assert result.exit_code == 0
    assert "warning: nothing is traced: tracing needs the extra 'otel'" in result.stderr
    assert "--extra otel" in result.stderr


def test_a_router_that_traces_nothing_loads_nothing_of_opentelemetry() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr
