"""ChatPlano's cost over bare ChatOpenAI: per call, whole and streamed, sync and async.

Run it with ``scripts/uv run --group dev benchmarks/clients.py``. Both models send the same request through the OpenAI
SDK to an upstream that answers in this process, at once, with the headers that a router sends; the one keeps to an
affinity id and reads those headers, the other knows of neither. CPU time is measured, for nothing is waited for.
Calls of the one and the other alternate, a few at a time, so that whatever else the machine does meets both; what is
told is the median over pairs of their difference and of their ratio.
"""

import asyncio
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI

from plano_agents.affinity import model_affinity
from plano_agents.integrations.http_clients import ClientPerLoop, load_library
from plano_agents.integrations.langchain import ChatPlano

MODEL = "gpt-4o"
CHUNKS = 50
"""How many pieces a streamed answer has."""
AT_A_TIME = 2
"""How many calls of one model are made before the other's turn."""
AIM_MICROSECONDS = 30.0

ROUTER_HEADERS = {
    "Date": "Thu, 26 Nov 2026 09:00:00 GMT",
    "X-Request-Id": "req_40c75edc87e64bb4bc8d79390be453a5",
    "X-RateLimit-Limit-Requests": "10000",
    "X-RateLimit-Limit-Tokens": "2000000",
    "X-RateLimit-Remaining-Requests": "9999",
    "X-RateLimit-Remaining-Tokens": "1999000",
    "X-RateLimit-Reset-Requests": "6ms",
    "X-RateLimit-Reset-Tokens": "30ms",
    "X-Model-Affinity": "run-1",
    "X-Plano-Model": "openai/gpt-4o",
    "X-Plano-Route": "complex_reasoning",
    "X-Plano-Affinity": "retain; reason=pinned",
    "Server-Timing": "routing;dur=0.1, upstream;dur=812.4",
    "X-Plano-Trace-Id": "0af7651916cd43dd8448eb211c80319c",
}
"""What comes with an answer of OpenAI's through the router."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Both models' calls, measured side by side."""

    name: str
    """What was called, with what."""
    bare: tuple[float, ...]
    """CPU time of a call of ChatOpenAI in µs, one for each pair."""
    plano: tuple[float, ...]
    """The same of ChatPlano."""

    @property
    def added(self) -> tuple[float, ...]:
        """The time that ChatPlano adds, in µs."""
        return tuple(plano - bare for bare, plano in zip(self.bare, self.plano, strict=True))

    def to_json(self) -> dict[str, object]:
        """Write it down."""
        ratios = [plano / bare for bare, plano in zip(self.bare, self.plano, strict=True)]
        return {
            "name": self.name,
            "unit": "µs of CPU per call",
            "bare": statistics.median(self.bare),
            "plano": statistics.median(self.plano),
            "added": _spread(self.added),
            "ratio": _spread(ratios),
        }

    def to_line(self) -> str:
        """Write it as a line of the table."""
        low, middle, high = statistics.quantiles(self.added)
        ratio = statistics.median(plano / bare for bare, plano in zip(self.bare, self.plano, strict=True))
        cells = (statistics.median(self.bare), statistics.median(self.plano), middle, low, high)
        return f"{self.name:<34}" + "".join(f"{cell:>10,.1f}" for cell in cells) + f"{ratio:>10.3f}"


def build_messages(turns: int) -> list[BaseMessage]:
    """Build an agent's transcript: 0 turns make a body of 1 KB, 7 turns one of about 20 KB."""
    messages: list[BaseMessage] = [
        SystemMessage("You pick databases. Look up benchmarks before you answer. " * 4),
        HumanMessage("Which database fits a shop with 2,000 orders a second? " * 6),
    ]
    for turn in range(turns):
        call = {"name": "get_db_benchmarks", "args": {"database": "PostgreSQL", "load": "writes"}}
        said = AIMessage(
            "I look at the next one.",
            tool_calls=[{**call, "id": f"call_{turn}", "type": "tool_call"}],
            response_metadata={
                "model_provider": "plano",
                "model_name": MODEL,
                "plano": {"model": "openai/gpt-4o"},
            },
        )
        messages += [
            said,
            ToolMessage("p99 12.4 ms at 2,000 writes a second; " * 64, tool_call_id=f"call_{turn}"),
        ]
    return messages


def get_db_benchmarks(database: str, load: str) -> str:
    """Look a database's benchmarks up, by its name and the kind of load."""
    return f"{database} {load}"


class Instant:
    """An upstream that answers at once."""

    def __init__(self) -> None:
        common: dict[str, object] = {
            "id": "chatcmpl-1",
            "created": 1_700_000_000,
            "model": "gpt-4o-2024-08-06",
        }
        usage: dict[str, object] = {
            "prompt_tokens": 300,
            "completion_tokens": CHUNKS,
            "total_tokens": 300 + CHUNKS,
        }
        message = {"role": "assistant", "content": "word " * CHUNKS}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**common, "object": "chat.completion", "choices": [choice], "usage": usage}
        deltas: list[dict[str, str]] = [
            {"role": "assistant", "content": ""},
            *[{"content": "word "}] * CHUNKS,
            {},
        ]
        pieces: list[dict[str, object]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]} for delta in deltas
        ]
        common["object"] = "chat.completion.chunk"
        pieces.append({"choices": [], "usage": usage})
        events = [json.dumps({**common, **piece}) for piece in pieces]
        self._whole = json.dumps(whole).encode()
        self._streamed = "".join(f"data: {event}\n\n" for event in (*events, "[DONE]")).encode()
        self.transport = load_library().MockTransport(self._answer)
        """What a client sends by, of the HTTP library of the installed SDK."""
        self.last_body = b""
        """What was asked last."""

    def _answer(self, request: Any) -> Any:  # noqa: ANN401 - the library's own
        self.last_body = request.content
        streamed = b'"stream":true' in request.content
        headers = {"Content-Type": "text/event-stream" if streamed else "application/json"}
        content = self._streamed if streamed else self._whole
        return load_library().Response(200, headers=ROUTER_HEADERS | headers, content=content)


def build_models(upstream: Instant) -> tuple[BaseChatModel, BaseChatModel]:
    """Build both models, the bare one first; the asynchronous client is of the kind that ChatPlano builds itself."""
    options: dict[str, Any] = {
        "model": MODEL,
        "base_url": "http://127.0.0.1:12000/v1",
        "api_key": "none",
    }
    http_client = openai.DefaultHttpxClient(transport=upstream.transport)
    bare = ChatOpenAI(
        stream_usage=True,
        use_responses_api=False,
        http_client=http_client,
        http_async_client=openai.DefaultAsyncHttpxClient(transport=upstream.transport),
        **options,
    )
    plano = ChatPlano(
        http_client=http_client,
        http_async_client=ClientPerLoop(transport=upstream.transport),
        **options,
    )
    return bare, plano


Model = Runnable[Any, AIMessage]
Call = Callable[[Model, list[BaseMessage]], Awaitable[object]]


async def _invoke(model: Model, messages: list[BaseMessage]) -> object:
    return model.invoke(messages)


async def _ainvoke(model: Model, messages: list[BaseMessage]) -> object:
    return await model.ainvoke(messages)


async def _stream(model: Model, messages: list[BaseMessage]) -> object:
    return [chunk for chunk in model.stream(messages)]  # noqa: C416 - read to its end, as the next one is


async def _astream(model: Model, messages: list[BaseMessage]) -> object:
    return [chunk async for chunk in model.astream(messages)]


CALLS: dict[str, Call] = {"invoke": _invoke, "ainvoke": _ainvoke, "stream": _stream, "astream": _astream}


async def measure(pairs: int, advance: Callable[[str], None]) -> list[Pairs]:
    """Measure everything."""
    upstream = Instant()
    bare, plano = (model.bind_tools([get_db_benchmarks]) for model in build_models(upstream))
    measured = []
    for turns in (0, 7):
        messages = build_messages(turns)
        for name, call in CALLS.items():
            bare_times: list[float] = []
            plano_times: list[float] = []
            for model in (bare, plano):
                await _time(call, model, messages)
            title = f"{name}, {len(upstream.last_body) / 1e3:.0f} KB"
            advance(title)
            for pair in range(pairs):
                order = [(bare, bare_times), (plano, plano_times)]
                for model, times in order if pair % 2 else reversed(order):
                    times.append(await _time(call, model, messages))
            measured.append(Pairs(title, tuple(bare_times), tuple(plano_times)))
    return measured


async def _time(call: Call, model: Model, messages: list[BaseMessage]) -> float:
    """Call a model a few times; give the CPU time of one in µs."""
    gc.collect(0)
    started = time.process_time()
    with model_affinity("run-1"):
        for _ in range(AT_A_TIME):
            await call(model, messages)
    return (time.process_time() - started) / AT_A_TIME * 1e6


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values)
    return {"median": middle, "lower quartile": low, "upper quartile": high}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--pairs", type=click.IntRange(2), default=300, help="How often each pair is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(*, pairs: int, as_json: bool) -> None:
    """Measure what ChatPlano costs over bare ChatOpenAI."""
    measured = asyncio.run(measure(pairs, lambda step: click.echo(f"measuring: {step} …", err=True)))
    versions = {"python": platform.python_version(), "openai": openai.__version__}
    machine = {**versions, "system": platform.platform(), "cpus": os.cpu_count()}
    if as_json:
        figures = [each.to_json() for each in measured]
        click.echo(json.dumps({"machine": machine, "figures": figures}, indent=2, ensure_ascii=False))
        return
    head = ("bare", "ChatPlano", "added", "quartile", "quartile", "ratio")
    click.echo(f"{'µs of CPU per call':<34}" + "".join(f"{cell:>10}" for cell in head))
    for each in measured:
        click.echo(each.to_line())
    worst = max(statistics.median(each.added) for each in measured)
    click.echo(f"ChatPlano adds {worst:.1f} µs where it adds most; the aim is {AIM_MICROSECONDS:.0f}.")


if __name__ == "__main__":
    main()
