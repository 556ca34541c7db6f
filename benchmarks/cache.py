"""The worth of affinity, sessions' keys and cache marks: the cached share of prompts, and their list price.

Run it with ``scripts/uv run benchmarks/cache.py``. A router stands before simulated models, whose prompt caches are
those that providers document (`plano_agents.simulator.prompt_cache`), on a clock that the benchmark moves: so the
figures are the same at every run. Eight sessions of one agent go on at once, each with a turn every six seconds: the
demo's loop, as its models drive it, and a coding agent's of 30 turns, whose transcript is made up and the same for
every way. Ways that have neither key nor mark send ``X-Plano-Cache: off``.
"""

import json
import os
import random
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import click
import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from plano_agents import processes
from plano_agents.config.plano import parse_config
from plano_agents.demos.database_selection import SYSTEM_PROMPT, TOOLS, run_tool
from plano_agents.demos.job import PIECES
from plano_agents.providers.profiles import find_known
from plano_agents.router.run import run_router
from plano_agents.simulator.app import create_app

CONFIG = Path(__file__).parents[1] / "config.yaml"
SESSIONS, TURNS = 8, 30
SECONDS_PER_TURN = 6.0
MAX_DEMO_TURNS = 12
QUIET_SECONDS = 3600.0
"""How long nothing is asked between two ways, so that none reads what another has written."""

ON_GPT = [
    {"name": "code", "description": "generating new code, functions or boilerplate", "models": ["openai/gpt-4o"]},
    {"name": "rest", "description": "reading files, running tests, small talk", "models": ["openai/gpt-4o-mini"]},
]
"""Preferences of requests that are to stay with OpenAI."""

Message = dict[str, Any]


class Clock:
    """Time in seconds that the benchmark moves."""

    now = 0.0

    def __call__(self) -> float:
        """Tell it."""
        return self.now


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking."""

    name: str
    """Its name in the table."""
    has_id: bool
    """True if each session has an affinity id."""
    is_helped: bool
    """True if keys and marks may be set."""


WAYS = (
    Way("routed turn by turn", has_id=False, is_helped=False),
    Way("routed turn by turn, marks", has_id=False, is_helped=True),
    Way("affinity", has_id=True, is_helped=False),
    Way("affinity, keys and marks", has_id=True, is_helped=True),
)


class Session(Protocol):
    """An agent at its work."""

    @property
    def messages(self) -> Sequence[Message] | None:
        """The next request's; None once it is done."""

    def take(self, answer: Message, /) -> None:
        """Take an answer's message."""


class DemoSession:
    """The demo's loop: its tools answer what the model calls.

    Args:
        number: Tells it from the others.
    """

    def __init__(self, number: int) -> None:
        self._messages: list[Message] = [
            {"role": "system", "content": f"{SYSTEM_PROMPT}\nYou work for team {number}."},
            {"role": "user", "content": PIECES[0].request},
        ]
        self._left = list(PIECES[1:])
        self._turns = 0
        self._is_done = False

    @property
    def messages(self) -> Sequence[Message] | None:
        """See `Session.messages`."""
        return None if self._is_done or self._turns >= MAX_DEMO_TURNS else self._messages

    def take(self, answer: Message) -> None:
        """See `Session.take`."""
        self._turns += 1
        calls = answer.get("tool_calls") or []
        self._is_done = not calls and not self._left
        self._messages.append({name: answer[name] for name in ("role", "content", "tool_calls") if answer.get(name)})
        self._messages += [
            {
                "role": "tool",
                "tool_call_id": call["id"],
                "content": run_tool(call["function"]["name"], call["function"]["arguments"]),
            }
            for call in calls
        ]
        if not calls and self._left:
            self._messages.append({"role": "user", "content": self._left.pop(0).request})


WORDS = (
    *("request", "session", "router", "model", "cache", "token", "key", "value", "index", "table", "column", "order"),
    *("stock", "price", "test", "assert", "import", "class", "method", "field", "return", "await", "buffer", "stream"),
    *("chunk", "header", "body", "retry", "limit", "clock", "state", "queue", "worker", "thread", "pool", "lock"),
)

STEPS = (
    "I look at how requests are sent.",
    "Let me read the tests first.",
    "The test fails. I weigh two explanations: a race, or a wrong clock.",
    "Now I write the function.",
    "I search for other callers.",
    "Analyzing the trade-off: waiting longer costs time, failing early costs orders.",
    "I add the missing import.",
    "Let me check the log.",
)
"""What a coding agent says beside its calls."""


def write_text(seed: str, words: int) -> str:
    """Make up a text; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    return " ".join(chance.choices(WORDS, k=words))


CODING_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name.replace('_', ' ')}: {write_text(name, 120)}",
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string", "description": write_text(f"{name} path", 20)}},
                "required": ["path"],
            },
        },
    }
    for name in ("read_file", "list_folder", "search_text", "show_history", "find_symbol", "read_log")
]
"""A coding agent's tools, of some 1,100 tokens together."""


class CodingSession:
    """A coding agent's loop: a request, then steps of a call and its result, all made up beforehand.

    Args:
        number: Tells it from the others.
        turns: How many requests it makes.
    """

    def __init__(self, number: int, turns: int = TURNS) -> None:
        self._messages: list[Message] = [
            {"role": "system", "content": f"You are a coding agent. {write_text('system', 1200)}"},
            {"role": "user", "content": f"Write a function that retries a request, for project {number}."},
        ]
        self._number, self._turns, self._left = number, turns, turns

    @property
    def messages(self) -> Sequence[Message] | None:
        """See `Session.messages`."""
        return self._messages if self._left else None

    def take(self, _answer: Message) -> None:
        """See `Session.take`; what the model said is replaced by what was made up."""
        self._left -= 1
        step = f"{self._number} {self._turns - self._left}"
        call_id = f"call_{step.replace(' ', '_')}"
        arguments = json.dumps({"path": f"src/{write_text(step, 1)}.py"})
        function = {"name": "read_file", "arguments": arguments}
        call = {"id": call_id, "type": "function", "function": function}
        self._messages += [
            {"role": "assistant", "content": STEPS[self._left % len(STEPS)], "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": write_text(f"{step} result", 350)},
        ]


@dataclass
class Account:
    """The account of all sessions of one loop, asked in one way."""

    prompt: int = 0
    """Tokens of prompts."""
    cached: int = 0
    """Those of them that were read from caches."""
    written: int = 0
    """Those of them that were written to caches, as far as the provider charges for it."""
    usd: float = 0.0
    """The list price, answers included."""
    models: list[list[str]] = field(default_factory=list)
    """The models that answered, by session."""

    def add(self, model: str, usage: Mapping[str, Any]) -> None:
        """Add one answer.

        Args:
            model: Who gave it, as its provider calls it.
            usage: What it cost, as chat completions say it.
        """
        details = usage.get("prompt_tokens_details") or {}
        prompt, cached = usage["prompt_tokens"], details.get("cached_tokens") or 0
        written = details.get("cache_write_tokens") or 0
        prices = find_known(model)
        assert prices.input_price is not None, model  # noqa: S101 - the models of this benchmark are known
        assert prices.cached_price is not None, model  # noqa: S101
        assert prices.output_price is not None, model  # noqa: S101
        self.prompt += prompt
        self.cached += cached
        self.written += written
        self.usd += (
            (prompt - cached - written) * prices.input_price
            + cached * prices.cached_price
            + written * (prices.written_price or prices.input_price)
            + usage["completion_tokens"] * prices.output_price
        ) / 1e6

    @property
    def share(self) -> float:
        """The share of prompt tokens that were read from caches."""
        return self.cached / self.prompt if self.prompt else 0.0

    @property
    def switches(self) -> int:
        """The number of turns that had another model than the one before."""
        return sum(one != other for models in self.models for one, other in pairwise(models))

    def row(self, loop: str, way: str) -> str:
        """Write a row of the table."""
        turns = Counter(model for models in self.models for model in models)
        served = ", ".join(f"{model} {count}" for model, count in turns.most_common())
        return (
            f"| {loop} | {way} | {served} | {self.switches} | {self.prompt:,} | {self.share:.0%} | "
            f"{self.written:,} | {self.usd:.2f} |"
        )


HEAD = (
    "| loop | way | turns by model | switches | prompt tokens | read from cache | written | list price, US$ |\n"
    "|---|---|---|---|---|---|---|---|"
)


def run_sessions(
    sessions: Sequence[Session], client: httpx.Client, clock: Clock, *, way: Way, extra: Mapping[str, object], name: str
) -> Account:
    """Run sessions at once, a turn of each in turn.

    Args:
        sessions: The agents.
        client: Connected to the router.
        clock: The providers'; it is moved on.
        way: The way of asking.
        extra: Further fields of each request, its tools among them.
        name: What the affinity ids begin with.
    """
    account = Account(models=[[] for _ in sessions])
    while any(session.messages is not None for session in sessions):
        for number, session in enumerate(sessions):
            clock.now += SECONDS_PER_TURN / len(sessions)
            if session.messages is None:
                continue
            headers = {"x-model-affinity": f"{name}-{number}"} if way.has_id else {}
            headers |= {} if way.is_helped else {"x-plano-cache": "off"}
            answer = client.post("/chat/completions", json={"messages": session.messages, **extra}, headers=headers)
            answer.raise_for_status()
            said = answer.json()
            account.add(said["model"], said["usage"])
            account.models[number].append(said["model"])
            session.take(said["choices"][0]["message"])
    return account


def measure(client: httpx.Client, clock: Clock, *, sessions: int, turns: int) -> Iterator[tuple[str, str, Account]]:
    """Measure every loop in every way.

    Yields:
        The loop's name, the way's name, and its account.
    """
    on_gpt = {"tools": CODING_TOOLS, "routing_preferences": ON_GPT}
    loops: dict[str, tuple[type[DemoSession] | None, Mapping[str, object]]] = {
        "the demo's": (DemoSession, {"tools": TOOLS}),
        f"coding, {turns} turns, Claude first": (None, {"tools": CODING_TOOLS}),
        f"coding, {turns} turns, OpenAI alone": (None, on_gpt),
    }
    for at, (loop, (kind, extra)) in enumerate(loops.items()):
        for way in WAYS if extra is not on_gpt else (WAYS[2], WAYS[3]):
            agents: list[Session] = [
                kind(number) if kind is not None else CodingSession(number, turns) for number in range(sessions)
            ]
            clock.now += QUIET_SECONDS
            name = f"{at}-{way.has_id}-{way.is_helped}"
            yield loop, way.name, run_sessions(agents, client, clock, way=way, extra=extra, name=name)


def run(*, sessions: int = SESSIONS, turns: int = TURNS) -> list[tuple[str, str, Account]]:
    """Run the router and the simulated models, and measure."""
    clock = Clock()
    simulated = processes.Site(create_app(clock=clock), processes.bind("127.0.0.1", 0))
    text = f"{CONFIG.read_text()}prompt_caching: {{enabled: true, session_affinity: false}}\n"
    config = parse_config(text, source="config.yaml", environ={}, offline=True)
    config = config.offline(processes.url_of(simulated.listener))
    listener = socket.create_server(("127.0.0.1", 0))
    measured: Future[list[tuple[str, str, Account]]] = Future()

    def ask() -> None:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        try:
            with httpx.Client(base_url=url, timeout=120) as client:
                measured.set_result(list(measure(client, clock, sessions=sessions, turns=turns)))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
            measured.set_exception(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    run_router(
        config,
        [listener],
        simulated=simulated,
        load=lambda: config,
        on_ready=lambda: threading.Thread(target=ask).start(),
        on_reloaded=lambda _: None,
    )
    return measured.result()


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
@click.option("--sessions", default=SESSIONS, show_default=True, help="How many go on at once.")
@click.option("--turns", default=TURNS, show_default=True, help="How many the coding agent makes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the table.")
def main(*, sessions: int, turns: int, as_json: bool) -> None:
    """Measure, and print the table of docs/performance.md."""
    rows = run(sessions=sessions, turns=turns)
    if as_json:
        found = [{"loop": loop, "way": way, "share": each.share, "usd": each.usd} for loop, way, each in rows]
        click.echo(json.dumps({"rows": found}))
        return
    click.echo(HEAD)
    for loop, way, account in rows:
        click.echo(account.row(loop, way))


if __name__ == "__main__":
    main()
