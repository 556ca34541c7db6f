"""The fast path: what takes it, what it hands over, and that nobody can tell it from the story."""

import asyncio
import gc
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from plano_agents import processes
from plano_agents.config.model import Config, Deployment
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.server.handlers import KEPT_TEMPLATES
from plano_agents.router.app import Router
from plano_agents.router.request.fast_head import FastHead
from plano_agents.router.request.fast_plan import Plan
from plano_agents.router.request.provider_head import LEARNT_FROM
from plano_agents.secret_str import SecretStr
from plano_agents.testing import FakeUpstream, Responder, UpstreamExchange, fail, give, stream
from tests.router.conftest import CHUNKS, CLAUDE, COMPLETION, GPT, MESSAGE, build_config, build_model
from tests.router.raw_client import build_request

PATHS = {"/v1/chat/completions": COMPLETION, "/v1/messages": MESSAGE}
MODELS = {"/v1/chat/completions": GPT, "/v1/messages": CLAUDE}
"""Models that speak each wire."""
STEPS = re.compile(rb"date: [^\r]*|x-plano-trace-id: \w+|dur=[\d.]+")
"""What no two answers have in common."""


@dataclass
class Client:
    """A client on one connection to a router."""

    router: Router
    provider: FakeUpstream
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    counted: dict[str, int] = field(default_factory=dict)

    async def ask(self, body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
        """Ask, and read one whole answer: what no two have in common is left out."""
        self.writer.write(build_request(body, *headers, path=path, close=False))
        return STEPS.sub(b"", await self.read())

    async def read(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if length is not None:
            return head + await self.reader.readexactly(int(length[1]))
        return head + await self.reader.readuntil(b"\r\n0\r\n\r\n")

    def count(self) -> Mapping[str, int]:
        """Count what became of the requests since it was last asked, what did not happen left out."""
        now = dict(self.router.count_fast_turns())
        before, self.counted = self.counted, now
        return {point: count - before.get(point, 0) for point, count in now.items() if count != before.get(point, 0)}


@asynccontextmanager
async def connected(
    responder: Responder, config: Config | None = None, *, takes_fast_path: bool = True
) -> AsyncGenerator[Client, None]:
    async with FakeUpstream(responder) as provider:
        config = config or build_config(base_url=provider.url)
        models = tuple(
            build_model(model.name, base_url=provider.url, deployments=model.deployments) for model in config.models
        )
        listener = processes.bind("127.0.0.1", 0)
        upstream = HttpUpstream()
        router = Router(Config(models=models), upstream, takes_fast_path=takes_fast_path)
        try:
            async with processes.running([processes.Site(router, listener, budget=router.buffered)]):
                reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
                try:
                    yield Client(router, provider, reader, writer)
                finally:
                    writer.close()
        finally:
            await upstream.close()


def write(**fields: object) -> bytes:
    return json.dumps({"model": GPT, "messages": [{"role": "user", "content": "hi"}], **fields}).encode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_session_on_its_models_wire_is_answered_as_the_story_answers_it(path: str, *, streams: bool) -> None:
    model = MODELS[path]
    body = write(model=model, stream=streams, max_tokens=9)
    answer = stream(*EVENTS[path]) if streams else give(PATHS[path])
    told = []
    for takes in (True, False):
        async with connected(answer, build_config(model), takes_fast_path=takes) as client:
            answers = [await client.ask(body, "x-model-affinity: a", f"x-request-id: {n}", path=path) for n in range(3)]
            sent = [(each.head, each.body) for each in client.provider.exchanges]
            told.append((answers, [(re.sub(r"127.0.0.1:\d+", "", head), body) for head, body in sent]))
            assert client.count() == ({"finished": 3} if takes else {})
    assert told[0] == told[1]


async def test_a_stream_that_breaks_once_it_began_is_counted_as_broken_off() -> None:
    async def answer(exchange: UpstreamExchange) -> None:
        if not json.loads(exchange.body).get("stream"):
            await exchange.answer(COMPLETION)
            return
        await exchange.start_stream()
        await exchange.chunk(CHUNKS[0])
        exchange.close()

    async with connected(answer) as client:
        await client.ask(write(), "x-model-affinity: a")
        client.count()
        client.writer.write(build_request(write(stream=True), "x-model-affinity: a", close=False))
        await client.reader.read()
        assert client.count() == {"broken off": 1}


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_deployment_that_fails_is_left_for_the_next_and_that_one_takes_the_fast_path(status: int) -> None:
    """As the story does it, byte by byte."""
    failing: list[str] = []

    async def answer(exchange: UpstreamExchange) -> None:
        is_down = any(key in exchange.head for key in failing)
        await (fail(status)(exchange) if is_down else exchange.answer(COMPLETION))

    places = tuple(Deployment(name, access_key=SecretStr(f"key-{name}")) for name in ("eu", "us"))
    config = Config(models=(build_model(GPT, deployments=places),))
    told, counts = [], []
    for takes in (True, False):
        failing.clear()
        async with connected(answer, config, takes_fast_path=takes) as client:
            answers = [await client.ask(write(), "x-model-affinity: a") for _ in range(2)]
            place = re.findall(rb"x-plano-deployment: (\w+)", answers[1])[0]
            failing.append(f"key-{place.decode()}")
            answers += [await client.ask(write(), "x-model-affinity: a") for _ in range(3)]
            told.append((answers, [re.findall(r"key-\w+", each.head) for each in client.provider.exchanges]))
            counts.append(client.count())
    assert told[0] == told[1]
    answers, keys = told[0]
    decided = [re.findall(rb"x-plano-affinity: ([^\r]*)", each)[0] for each in answers]
    pinned = b"retain; reason=pinned"
    moved = b"retain; reason=deployment; because=status %d" % status
    assert decided == [b"initialize; reason=first_turn", pinned, moved, pinned, pinned]
    assert len({key for (key,) in keys[:3]}) == 1
    assert len({key for (key,) in keys[3:]}) == 1
    assert keys[3] != keys[2]
    assert counts[0]["finished"] == 4


@pytest.mark.parametrize(
    ("place", "streams"),
    [
        ("fast_answer.read_sure_usage", False),
        ("provider_head.HeadReader.read", False),
        ("fast_stream.OpeningLook.take", True),
        ("fast_stream.Relay", True),
        ("fast_stream.UsageMeter.read", True),
    ],
)
async def test_a_bug_met_in_an_answer_leaves_no_client_waiting(
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    streams: bool,
) -> None:
    def fail_always(*_: object, **_more: object) -> None:
        raise ZeroDivisionError

    for known in (False, True):
        async with connected(stream(*CHUNKS) if streams else give(COMPLETION)) as client:
            for _ in range(LEARNT_FROM + 2 if known else 2):
                await client.ask(write(stream=streams), "x-model-affinity: a")
            with monkeypatch.context() as patch:
                patch.setattr(f"plano_agents.router.request.{place}", fail_always)
                client.writer.write(build_request(write(stream=streams), "x-model-affinity: a"))
                answer = await client.reader.read()
            is_met = not (known and place.startswith("provider_head"))
            assert answer.startswith(
                b"HTTP/1.1 500" if is_met and not place.endswith("Meter.read") else b"HTTP/1.1 200"
            )
            assert client.router.buffered.held == 0


def count_live(kind: type) -> int:
    gc.collect()
    return sum(type(each) is kind for each in gc.get_objects())


async def test_heads_that_never_come_again_are_not_kept_for_what_their_bodies_taught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plano_agents.router.request.fast_path.MAX_HEADS", 4)
    before = count_live(FastHead)
    async with connected(give(COMPLETION)) as client:
        for number in range(40):
            for _ in range(3):
                await client.ask(write(), "x-model-affinity: a", f"x-run: {number}")
        assert client.count() == {"finished": 120}
        assert count_live(FastHead) - before <= 4 + 2 * KEPT_TEMPLATES


async def test_plans_of_models_that_never_come_again_are_not_kept_for_what_they_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("plano_agents.router.request.fast_head.MAX_PLANS", 4)
    before = count_live(Plan)
    async with connected(give(COMPLETION), build_config("openai/*")) as client:
        for number in range(40):
            for model in (f"openai/m{number}", "openai/m", "openai/m"):
                await client.ask(write(model=model), f"x-model-affinity: {number}")
        assert client.count() == {"finished": 120}
        assert count_live(Plan) - before <= 4


EVENTS = {
    "/v1/chat/completions": CHUNKS,
    "/v1/messages": (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"a"}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
}
