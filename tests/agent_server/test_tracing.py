"""The agent server's spans, between the client's and the router's, as a collector gets them."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.tools import BaseTool, tool
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from plano_agents import ChatPlano, processes
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from plano_agents.agent_server.tools import Graph
from plano_agents.http.client.client import HttpUpstream
from plano_agents.integrations.httpx import uninstrument
from plano_agents.observe.spans.attributes import ATTRIBUTES, hash_affinity_id
from plano_agents.router.app import Router
from plano_agents.testing import FakeUpstream, Reply, ToolCall, UpstreamExchange
from tests.agent_server.conftest import USER, Script, build_graph, connect
from tests.observe.spans.collector import Collector, grpc_collector
from tests.router.conftest import GPT
from tests.router.watch.test_spans import CHAT, INBOUND, PARENT, find_sent, trace_to

RUN = "POST /agent/run"
WITHOUT = """
import asyncio, sys
import httpx
from langgraph.graph import START, MessagesState, StateGraph
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import ServerSettings

def say(state):
    return {"messages": [("ai", "hello")]}

async def main():
    graph = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile()
    app = create_app(graph, ServerSettings(checkpoints="none"))
    async with app.router.lifespan_context(app), httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        assert (await client.post("/agent/run", json={"input": "hello"})).json()["output"] == "hello"

asyncio.run(main())
# LangChain loads the SDK by itself where it is installed.
LIBRARY = ("opentelemetry.exporter", "opentelemetry.proto", "grpc", "plano_agents.agent_server.tracing")
print([name for name in sys.modules if name.startswith(LIBRARY)])
"""
TREE = [
    RUN,
    "  invoke_agent scout",
    "    chat gpt-4o",
    f"      POST {CHAT}",
    "        route",
    "        chat gpt-4o",
    "    execute_tool ask_again",
    f"      POST {CHAT}",
    "        route",
    "        chat gpt-4o",
    "    chat gpt-4o",
    f"      POST {CHAT}",
    "        route",
    "        chat gpt-4o",
]
COUNTED = Reply(model="gpt-4o-x", input_tokens=7, cached_tokens=5, output_tokens=3)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with grpc_collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


@pytest.fixture(autouse=True)
def _leave_no_hooks() -> Iterator[None]:
    yield
    uninstrument()


async def call_tool_once(exchange: UpstreamExchange) -> None:
    """A model that calls the tool, and answers once it has its result."""
    if b'"tool"' in exchange.body or b'"tools"' not in exchange.body:
        reply = replace(COUNTED, text="answer-canary")
    else:
        reply = replace(COUNTED, calls=[ToolCall("ask_again", {"question": "argument-canary"})])
    await exchange.reply(reply)


@asynccontextmanager
async def run_chain(
    collector: Collector,
    answer: Callable[[UpstreamExchange], Awaitable[None]] = call_tool_once,
    *,
    router_traces: bool = True,
    **settings: object,
) -> AsyncGenerator[tuple[httpx.AsyncClient, FakeUpstream], None]:
    """A client of an agent server, whose tool asks the router too, before a provider; at the end all is sent."""
    upstream = HttpUpstream()
    listener = processes.bind("127.0.0.1", 0)
    url = processes.url_of(listener)

    @tool
    async def ask_again(question: str) -> str:
        """Ask the router, by an SDK of the tool's own."""
        async with httpx.AsyncClient(trust_env=False) as own:
            body = {"messages": [{"role": "user", "content": question}]}
            await own.post(f"{url}{CHAT}", json=body)
        return "result-canary"

    graph: Graph = create_agent(ChatPlano(base_url=url, model="gpt-4o"), [ask_again])
    options = {"name": "scout", "checkpoints": "none", "router_urls": [url], "trace_sampling": 100}
    app = create_app(graph, build_settings(**{**options, **settings}))
    async with FakeUpstream(answer) as provider:
        config = trace_to(collector, provider, GPT, random_sampling=100 if router_traces else 0)
        router = Router(config, upstream)
        async with processes.running([processes.Site(router, listener)]), connect(app) as client:
            yield client, provider
        await router.aclose()
        await upstream.close()


@asynccontextmanager
async def run_script(script: Script, *tools: BaseTool, **settings: object) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of an agent server whose model plays a script; at the end all is sent."""
    options = {"checkpoints": "none", "router_urls": ["http://r"], "trace_sampling": 100, **settings}
    async with connect(create_app(build_graph(script, *tools, remember=False), build_settings(**options))) as client:
        yield client


async def ask(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/agent/run", json={"messages": [{**USER, "content": "prompt-canary"}]}, headers=named)


async def test_a_run_is_one_tree_from_the_client_over_its_turns_and_tools_to_the_providers(
    collector: Collector,
) -> None:
    async with run_chain(collector) as (client, provider):
        answer = await ask(client, traceparent=INBOUND, tracestate="vendor=1")
    assert answer.json()["output"] == "answer-canary"
    assert collector.draw().splitlines() == TREE
    assert collector.find(RUN).parent_id == PARENT[1]
    assert {span.trace_id for span in collector.spans} == {PARENT[0]}
    by_id = {span.span_id: span for span in collector.spans}
    for exchange in provider.exchanges:
        trace_id, parent_id, flags = find_sent(exchange)
        assert (trace_id, flags, by_id[parent_id].kind) == (PARENT[0], "01", "CLIENT")
        assert exchange.headers["tracestate"] == "vendor=1"


async def test_the_span_of_an_instrumented_client_is_the_root(collector: Collector) -> None:
    kept = InMemorySpanExporter()
    mine = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    mine.add_span_processor(SimpleSpanProcessor(kept))
    async with run_chain(collector) as (client, _):
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=mine)
        with mine.get_tracer("mine").start_as_current_span("my agent"):
            await ask(client)
    sent, root = kept.get_finished_spans()
    assert (root.name, sent.context is not None, root.context is not None) == ("my agent", True, True)
    assert sent.context is not None
    assert collector.find(RUN).parent_id == f"{sent.context.span_id:016x}"
    assert {span.trace_id for span in collector.spans} == {f"{sent.context.trace_id:032x}"}


async def test_a_run_says_what_it_came_to_and_its_turns_and_tools_what_they_were(
    collector: Collector,
) -> None:
    async with run_chain(collector) as (client, _):
        await ask(client, x_model_affinity="run-1")
    run = collector.find("invoke_agent scout")
    assert run.kind == "INTERNAL"
    assert run.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "plano",
        "gen_ai.agent.name": "scout",
        "gen_ai.conversation.id": hash_affinity_id("run-1"),
        "gen_ai.usage.input_tokens": 14,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.cache_read.input_tokens": 10,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "plano.run.turns": 2,
        "plano.run.switches": 0,
    }
    first, second = sorted(
        (span for span in collector.spans if span.parent_id == run.span_id and span.kind == "CLIENT"),
        key=lambda span: span.began,
    )
    assert first.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-x",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "plano.affinity.decision": "initialize",
        "plano.affinity.reason": "first_turn",
        "plano.model": GPT,
    }
    assert second.attributes["plano.affinity.decision"] == "retain"
    used = collector.find("execute_tool ask_again")
    assert used.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "ask_again",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "call_1",
    }
    request = collector.find(RUN).attributes
    assert (request["http.response.status_code"], request["http.route"]) == (200, "/agent/run")
    assert {span.resource["service.name"] for span in collector.spans} == {
        "plano-agents-server",
        "plano-agents-router",
    }


async def test_the_routers_spans_share_the_runs_hashed_id(collector: Collector) -> None:
    async with run_chain(collector) as (client, _):
        affinity_id = (await ask(client)).headers["x-model-affinity"]
    told = {span.attributes.get("gen_ai.conversation.id") for span in collector.spans} - {None}
    assert told == {hash_affinity_id(affinity_id)}


async def test_nothing_that_was_said_is_told(collector: Collector) -> None:
    async with run_chain(collector) as (client, _):
        await ask(client)
    sent = b"".join(collector.raw)
    for canary in (b"prompt-canary", b"argument-canary", b"result-canary", b"answer-canary"):
        assert canary not in sent


async def test_what_was_said_is_told_where_the_settings_want_it(collector: Collector) -> None:
    async with run_chain(collector, router_traces=False, trace_content=True) as (client, _):
        await ask(client)
    run = collector.find("invoke_agent scout").attributes
    used = collector.find("execute_tool ask_again").attributes
    assert json.loads(run["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "prompt-canary"}]}
    ]
    assert json.loads(run["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "answer-canary"}],
            "finish_reason": "stop",
        }
    ]
    assert json.loads(used["gen_ai.tool.call.arguments"]) == {"question": "argument-canary"}
    assert used["gen_ai.tool.call.result"] == "result-canary"
    assert {name for span in collector.spans for name in span.attributes} <= set(ATTRIBUTES)


async def test_a_streamed_run_is_the_same_tree(collector: Collector) -> None:
    async with run_script(Script()) as client:
        await ask(client, accept="text/event-stream")
    tree = [RUN, "  invoke_agent agent", "    chat", *["    execute_tool look_up"] * 2, "    chat"]
    assert collector.draw().splitlines() == tree
    assert collector.find("invoke_agent agent").attributes["plano.run.turns"] == 2


@pytest.mark.filterwarnings("ignore::langgraph.warnings.LangGraphDeprecatedSinceV10")
async def test_a_run_over_ag_ui_is_traced_too(collector: Collector) -> None:
    body = {
        "threadId": "t-1",
        "runId": "r-1",
        "messages": [{"id": "m", "role": "user", "content": "hello"}],
        "state": {},
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }
    async with run_script(Script()) as client:
        answer = await client.post("/ag-ui", json=body)
    assert answer.status_code == 200
    tree = ["POST /ag-ui", "  invoke_agent agent", "    chat", *["    execute_tool look_up"] * 2, "    chat"]
    assert collector.draw().splitlines() == tree


async def test_a_run_that_failed_is_told_by_its_code_and_its_turn_by_its_kind(collector: Collector) -> None:
    async def refuse(exchange: UpstreamExchange) -> None:
        await exchange.answer(b'{"error": {"message": "error-canary"}}', status=401)

    async with run_chain(collector, refuse, router_traces=False) as (client, _):
        answer = await ask(client)
    run, turn = collector.find("invoke_agent scout"), collector.find("chat gpt-4o")
    assert run.is_failure
    assert run.attributes["error.type"] == answer.json()["error"]["code"]
    assert (turn.is_failure, turn.attributes["error.type"]) == (True, "OpenAIAuthenticationError")
    assert collector.find(RUN).attributes["http.response.status_code"] == answer.status_code
    assert b"error-canary" not in b"".join(collector.raw)


async def test_a_tool_that_fails_or_is_stopped_is_a_failed_span(collector: Collector) -> None:
    @tool
    async def hang(city: str) -> str:
        """Take for ever."""
        await asyncio.Event().wait()
        return city

    async with run_script(Script(tool="hang", cities=("Oslo",)), hang, tool_seconds=0.05) as client:
        await ask(client)
    stopped = collector.find("execute_tool hang")
    assert (stopped.is_failure, stopped.attributes["error.type"]) == (True, "CancelledError")
    assert not collector.find("invoke_agent agent").is_failure


async def test_a_run_whose_client_leaves_is_cancelled_with_all_that_was_under_way(
    collector: Collector,
) -> None:
    came = asyncio.Event()

    async def wait() -> None:
        came.set()
        await asyncio.Event().wait()

    async with run_script(Script(wait=wait)) as client:
        asking = asyncio.create_task(ask(client))
        await came.wait()
        asking.cancel()
        await asyncio.wait({asking})
    run = collector.find("invoke_agent agent")
    assert (run.is_failure, run.attributes["error.type"]) == (True, "cancelled")
    assert collector.find("chat").is_failure


async def test_runs_side_by_side_keep_their_turns_to_themselves(collector: Collector) -> None:
    async with run_chain(collector, router_traces=False) as (client, _):
        await asyncio.gather(*(ask(client) for _ in range(8)))
    runs = {span.span_id: span for span in collector.spans if span.name == "invoke_agent scout"}
    assert len(runs) == 8
    inner = [span for span in collector.spans if span.parent_id in runs]
    assert {run: sum(span.parent_id == run for span in inner) for run in runs} == dict.fromkeys(runs, 3)
    assert all(span.trace_id == runs[span.parent_id].trace_id for span in inner)


@pytest.mark.parametrize("flag", ["00", "01"])
async def test_a_client_that_has_decided_about_sampling_is_followed_down_to_the_provider(
    collector: Collector, flag: str
) -> None:
    async with run_chain(collector, trace_sampling=1) as (client, provider):
        await ask(client, traceparent=f"{INBOUND[:-2]}{flag}")
    assert bool(collector.spans) == (flag == "01")
    assert {find_sent(exchange)[::2] for exchange in provider.exchanges} == {(PARENT[0], flag)}


async def test_without_tracing_the_clients_context_goes_on_to_the_provider(collector: Collector) -> None:
    async with run_chain(collector, router_traces=False, trace_sampling=0) as (client, provider):
        await ask(client, traceparent=INBOUND, tracestate="vendor=1")
        await ask(client)
    heads = [exchange.headers for exchange in provider.exchanges]
    assert len(heads) == 6
    assert {find_sent(exchange) for exchange in provider.exchanges[:3]} == {(*PARENT, "01")}
    assert all(head["tracestate"] == "vendor=1" for head in heads[:3])
    assert not any("traceparent" in head for head in heads[3:])
    assert collector.spans == []


def test_a_server_that_traces_nothing_loads_no_exporter() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("[]\n", 0), run.stderr


async def test_in_an_app_that_has_opentelemetry_already_its_provider_makes_the_spans(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = InMemorySpanExporter()
    mine = TracerProvider(shutdown_on_exit=False)
    mine.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: mine)
    async with run_script(Script()) as client:
        await ask(client)
    assert RUN in {span.name for span in kept.get_finished_spans()}
    assert collector.spans == []


async def test_a_threads_id_is_no_part_of_its_requests_span(collector: Collector) -> None:
    async with run_script(Script()) as client:
        await client.get("/threads/thread-canary")
    assert collector.find("GET /threads/{thread_id:path}").attributes["http.response.status_code"] == 404
    assert b"thread-canary" not in b"".join(collector.raw)


async def test_health_is_not_traced(collector: Collector) -> None:
    async with run_chain(collector) as (client, _):
        await client.get("/healthz")
    assert collector.spans == []
