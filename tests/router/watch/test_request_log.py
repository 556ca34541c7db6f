"""The router's request log: a readable line, an object, and the lines that operators must act on."""

import asyncio
import json
import logging
import os
import re
import sys
from pathlib import Path

import pytest

from plano_agents.config.model import Config, Deployment, Preference
from plano_agents.errors import ConnectTimeoutError, UpstreamUnreachableError
from plano_agents.observe.log import JsonFormatter, leave_plain, paint_text
from plano_agents.router.request.trail import Trail, Try
from plano_agents.router.watch.request_log import Columns, RequestLine, RequestLog, shorten_id, tell_duration
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.pin import Decision
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.faults.redis_server import RedisServer
from tests.faults.router_process import READY, start_router, write_config
from tests.router.conftest import (
    CHUNKS,
    CLAUDE,
    COMPLETION,
    GPT,
    KEY,
    MESSAGE,
    PROMPT,
    SSE,
    Choose,
    Clock,
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_service,
    chat,
)
from tests.router.raw_client import build_request, complete, talk

UUID = "0d1f7c2a-5f3e-4f7e-9d7f-3a0e5d6b7c8d"
ID = ("x-model-affinity", UUID)
COUNTED = b'{"choices":[{}],"usage":{"prompt_tokens":2210,"completion_tokens":431,"prompt_tokens_details":{"cached_tokens":1536}}}'
BOTH = build_config(GPT, CLAUDE, preferences=(Preference("talk", "small talk", (GPT, CLAUDE)),))


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "plano_agents.router")


async def tell(
    caplog: pytest.LogCaptureFixture,
    upstream: MemoryUpstream,
    *bodies: bytes,
    config: Config = BOTH,
    clock: Clock | None = None,
) -> list[logging.LogRecord]:
    """Ask with each body, as turns of one session, and give what was told."""
    log = RequestLog(clock=clock or Clock())
    log.configure(config)
    service = build_service(config, upstream, strategy=Choose("talk"), observe=lambda trail: log.observe([trail]))
    for body in bodies or (chat(),):
        await ask(service, body, ID)
    return caplog.records


def split(record: logging.LogRecord) -> list[str]:
    return re.split(r" {2,}", record.getMessage())


def warnings(records: list[logging.LogRecord]) -> list[str]:
    """The lines beside the requests' own, without trace ids."""
    return [
        re.sub(r"trace [0-9a-f]{32}: ", "", record.getMessage()) for record in records if record.levelno > logging.INFO
    ]


async def test_a_request_is_one_line_with_its_id_decision_model_route_status_times_and_tokens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (record,) = await tell(caplog, MemoryUpstream(MemoryResponse(pieces=(COUNTED,))))
    assert split(record) == [
        *("0d1f7c~6b7c8d", "initialize first_turn", GPT, "talk", "200"),
        *("routing", "0.0 ms", "upstream", "0.0 ms", "answer", "0.0 ms"),
        *("total", "0.0 ms", "2210 in", "1536 cached", "431 out"),
    ]


async def test_the_second_turn_is_told_as_pinned_and_stands_in_the_same_columns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = MemoryUpstream(MemoryResponse(pieces=(COUNTED,)))
    first, second, refused = await tell(caplog, answers, chat(), chat(), b"[]")
    assert split(second)[1] == "retain pinned"
    places = {record.getMessage().index("routing") for record in (first, second, refused)}
    assert len(places) == 1
    assert refused.getMessage().endswith("invalid_request")


async def test_the_times_of_a_line_add_up_to_the_whole_of_a_stream_too(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = await tell(caplog, MemoryUpstream(MemoryResponse(headers=SSE, pieces=CHUNKS)), chat(stream=True))
    told = re.findall(r"(routing|upstream|answer|total) +([\d.]+) (ms|s)", record.getMessage())
    assert [name for name, *_ in told] == ["routing", "upstream", "answer", "total"]


async def test_neither_prompt_nor_key_is_told(caplog: pytest.LogCaptureFixture) -> None:
    answers = MemoryUpstream(MemoryResponse(status=401), MemoryResponse(status=503), MemoryResponse())
    records = await tell(caplog, answers, chat(), chat())
    told = [JsonFormatter(log_content=False).write(record) + record.getMessage() for record in records]
    assert len(told) >= 3
    assert not [line for line in told if PROMPT in line or KEY in line]


async def test_where_machines_read_every_field_is_there(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = await tell(caplog, MemoryUpstream(MemoryResponse(pieces=(COUNTED,))))
    told = json.loads(JsonFormatter(log_content=False).write(record))
    assert re.fullmatch(r"[0-9a-f]{32}", told.pop("trace_id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "info",
        "logger": "plano_agents.router.watch.request_log",
        "event": "request",
        "path": "/v1/chat/completions",
        "affinity_id": UUID,
        "session": UUID,
        "session_source": None,
        "client": None,
        "label": None,
        "tenant": None,
        "decision": "initialize",
        "reason": "first_turn",
        "because": None,
        "pinned": None,
        "degraded": [],
        "model": GPT,
        "deployment": None,
        "route": "talk",
        "status": 200,
        "failure": None,
        "client_left": False,
        "streams": False,
        "routing_ms": 0.0,
        "upstream_ms": 0.0,
        "first_ms": None,
        "duration_ms": 0.0,
        "phases_ms": {"routing": 0.0, "fitting": 0.0, "provider": 0.0, "writing": 0.0},
        "tries": [
            {"model": GPT, "deployment": None, "status": 200, "failure": None, "words": None, "duration_ms": 0.0}
        ],
        "adjusted": [],
        "failovers": 0,
        "input_tokens": 2210,
        "cached_input_tokens": 1536,
        "output_tokens": 431,
    }


async def test_a_failover_is_told_with_what_failed_how_often_and_who_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = MemoryUpstream(
        MemoryResponse(status=503),
        ConnectTimeoutError("late"),
        MemoryResponse(status=503),
        MemoryResponse(pieces=(MESSAGE,)),
    )
    records = await tell(caplog, answers)
    assert warnings(records) == [
        f"{GPT} failed 3 times (503, upstream_connect_timeout, 503): late; {CLAUDE} answered (200)"
    ]
    assert records[0].getMessage().endswith("4 tries  1 failover")


async def test_at_level_debug_a_line_has_the_trace_the_path_and_every_try(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "plano_agents.router")
    answers = MemoryUpstream(MemoryResponse(status=503), MemoryResponse(pieces=(COUNTED,)))
    (record,) = [each for each in await tell(caplog, answers) if each.levelno == logging.INFO]
    told = record.getMessage()
    assert re.search(r"trace=\S+  path=/v1/chat/completions  affinity=\S+  tried: ", told)
    tries = told.partition("tried: ")[2].split("; ")
    assert [each.split(" in ")[0] for each in tries] == ["openai/gpt-4o 503", "openai/gpt-4o 200"]


async def test_where_every_try_of_every_model_fails_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    records = await tell(caplog, MemoryUpstream(MemoryResponse(status=500)), config=build_config(GPT))
    assert warnings(records) == [f"{GPT} failed 3 times (500, 500, 500); no model answered"]


async def test_a_retry_that_helps_and_a_request_that_is_refused_are_no_warnings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers = MemoryUpstream(MemoryResponse(status=503), MemoryResponse(), MemoryResponse(status=400))
    assert warnings(await tell(caplog, answers, chat(), chat())) == []


async def test_a_provider_that_refuses_its_key_is_named_at_most_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    log = RequestLog(clock=clock)
    log.configure(BOTH)
    told = []
    for now, model, status in (
        *((0, GPT, 401), (59, GPT, 401), (59, CLAUDE, 403)),
        *((60, GPT, 401), (61, GPT, 200)),
    ):
        clock.now = now
        caplog.clear()
        log.observe([Trail("0" * 32, "/", 0, 0, noted=(Try(model, status, None, 1.0),))])
        told.append(warnings(caplog.records))

    def refusal(provider: str, model: str, status: int) -> str:
        return f"the provider {provider} refuses the key for {model} ({status}): see its access_key in config.yaml"

    openai = refusal("openai", GPT, 401)
    assert told == [[openai], [], [refusal("anthropic", CLAUDE, 403)], [openai], []]


def build_deployed() -> Config:
    places = (Deployment("eu", access_key=SecretStr("k-eu")), Deployment("us", access_key=SecretStr("k-us")))
    return Config(models=(build_model(GPT, deployments=places),))


async def test_a_deployment_is_named_wherever_its_model_is(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(clock=Clock())
    log.configure(build_deployed())
    caplog.set_level("INFO")
    decision = Decision(GPT, None, "retain", "deployment", because="status 503", deployment="us")
    tries = (Try(GPT, 503, None, 1.0, "eu"), Try(GPT, 200, None, 1.0, "us"))
    log.observe([Trail("0" * 32, "/", 0, 0, decision=decision, noted=tries, status=200)])
    line, warning = (record.getMessage() for record in caplog.records)
    assert "retain deployment" in line
    assert f"{GPT} (us)" in line
    assert "because status 503" in line
    assert warning.endswith(f"{GPT} (eu) failed (503); {GPT} (us) answered (200)")


async def test_the_refused_key_of_a_deployment_is_named_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog(clock=Clock())
    log.configure(build_deployed())
    for deployment in ("eu", "eu", "us"):
        log.observe([Trail("0" * 32, "/", 0, 0, noted=(Try(GPT, 401, None, 1.0, deployment),))])
    told = "the provider openai refuses the key for openai/gpt-4o ({}) (401): see its access_key in plano-agents.yaml"
    assert warnings(caplog.records) == [told.format("eu"), told.format("us")]
    assert "k-eu" not in caplog.text


async def test_a_key_of_the_clients_own_that_is_refused_is_the_clients_business(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = Config(models=(build_model(GPT, passthrough_auth=True, access_key=None),))
    assert warnings(await tell(caplog, MemoryUpstream(MemoryResponse(status=401)), config=config)) == []


def test_an_id_is_shortened_by_its_ends_and_always_alike() -> None:
    assert shorten_id(UUID) == shorten_id(UUID) == "0d1f7c~6b7c8d"
    assert shorten_id(f"{UUID}/researcher") == "0d1f7c~archer"
    assert (shorten_id("run-1"), shorten_id(None)) == ("run-1", "-")
    assert shorten_id("implicit·0123456789abcdef").isascii()


@pytest.mark.parametrize(
    ("lane", "shown"),
    [
        ("main/claude-opus-4-7", "0d1f7c~main"),
        ("side/openai/gpt-4o", "0d1f7c~side"),
        ("agent/a65d97eb44318c120/claude-opus-4-7", "0d1f7c~18c120"),
        ("agent-side/a65d97eb44318c120/claude-opus-4-7", "0d1f7c~18c120"),
    ],
)
def test_a_lane_is_shortened_to_its_session_and_its_kind_or_agent(lane: str, shown: str) -> None:
    assert shorten_id(f"claude-code·{UUID}·{lane}") == shown


def test_durations_are_brief() -> None:
    told = [tell_duration(each) for each in (None, 0.04, 9.94, 150.4, 999, 1900, 61_000)]
    assert told == ["-", "0.0 ms", "9.9 ms", "150 ms", "999 ms", "1.9 s", "61.0 s"]


def test_what_a_client_may_name_can_neither_break_nor_widen_a_line() -> None:
    decision = Decision("openai/\x1b[2J\nforged", "x" * 500, "none", None)
    line = RequestLine(Trail("0" * 32, "/", 0, 0, decision=decision), Columns(model=1, route=1))
    text = line.render(leave_plain)
    assert text.isprintable()
    assert "openai/\\u001b[2J\\nforged" in text
    assert len(text) < 200


def test_a_status_is_coloured_by_its_class() -> None:
    for status, colour in ((200, 32), (404, 33), (502, 31)):
        line = RequestLine(Trail("0" * 32, "/", 0, 0, status=status), Columns(model=1, route=1))
        assert f"\x1b[{colour}m{status}\x1b[0m" in line.render(paint_text)


async def read_error(router_errors: asyncio.StreamReader, wanted: str) -> str:
    async for line in router_errors:
        if wanted in line.decode():
            return line.decode()
    raise AssertionError(wanted)


async def test_a_router_tells_of_requests_on_its_output_and_of_breakers_and_the_store_on_errors(
    tmp_path: Path,
) -> None:
    healthy = asyncio.Event()

    async def answer(exchange: UpstreamExchange) -> None:
        await exchange.answer(COMPLETION, status=200 if healthy.is_set() else 500)

    async with RedisServer(tmp_path) as redis, FakeUpstream(answer) as provider:
        config = write_config(
            tmp_path,
            {GPT: provider.url},
            routing={"session_cache": {"type": "redis", "url": redis.url}},
            retries={"max_per_candidate": 0},
            breaker={"failures": 1, "open_seconds": 0.1},
        )
        async with start_router(config, "--workers", "2") as router:
            errors = router.process.stderr
            assert errors is not None
            await talk(router.url, build_request(chat()))
            opened = await read_error(errors, "open for")
            healthy.set()
            await redis.kill()
            while (await talk(router.url, build_request(chat(), "x-model-affinity: run-1")))[0] != 200:
                pass
            lost = await read_error(errors, "the session store")
            await redis.start()
            back = await read_error(errors, "answers again: pins are shared")
            router.process.terminate()
            assert router.process.stdout is not None
            said = (await router.process.stdout.read()).decode()
    assert re.search(
        rf"Z  w[12]  WARNING  circuit breaker of {GPT} open for 0.1 s after 1 consecutive failures\n",
        opened,
    )
    assert all(re.search(r"Z  w[12]  WARNING  ", line) for line in (lost, back))
    assert re.search(r"Z  w[12]  run-1 +initialize first_turn .*degraded=store\n", said)
    assert said.endswith("\nstopped\n")


async def test_the_lines_of_many_requests_are_all_there_and_whole_after_a_stop(tmp_path: Path) -> None:
    async with FakeUpstream(complete) as provider:
        config = write_config(tmp_path, {GPT: provider.url})
        async with start_router(config, "--log-format", "json") as router:
            reading = asyncio.create_task(router.process.communicate())
            requests = [build_request(chat(), f"x-model-affinity: run-{number}") for number in range(300)]
            for number in range(0, 300, 20):
                await asyncio.gather(*(talk(router.url, each) for each in requests[number : number + 20]))
            router.process.terminate()
            out, errors = await reading
    told = [json.loads(line) for line in out.splitlines()]
    assert sorted(each["affinity_id"] for each in told if each.get("event") == "request") == sorted(
        f"run-{number}" for number in range(300)
    )
    assert (told[-1]["message"], errors) == ("stopped", b"")


async def test_a_router_whose_output_nobody_reads_serves_and_stops(tmp_path: Path) -> None:
    """Eight times what a pipe holds is told."""
    reading, writing = os.pipe()
    async with FakeUpstream(complete) as provider:
        config = write_config(tmp_path, {GPT: provider.url})
        arguments = ("-m", "plano_agents", "up", str(config), "--port", "0", "--log-format", "json")
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=writing)
        os.close(writing)
        try:
            found = READY.search(await asyncio.to_thread(lambda: os.read(reading, 4096).decode()))
            assert found is not None
            request = build_request(chat(), f"x-model-affinity: {'x' * 250}")
            for _ in range(40):
                answers = await asyncio.gather(*(talk(found[1], request) for _ in range(20)))
                assert {status for status, _, _ in answers} == {200}
            process.terminate()
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            os.close(reading)


async def test_why_a_provider_is_unreachable_is_told_as_the_client_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told = "No connection to http://127.0.0.1:9: Connection refused. Is it running, and is base_url right?"
    answers = MemoryUpstream(UpstreamUnreachableError(told))
    records = await tell(caplog, answers, config=build_config(GPT))
    codes = ", ".join(["upstream_unreachable"] * 3)
    assert warnings(records) == [f"{GPT} failed 3 times ({codes}): {told}; no model answered"]
