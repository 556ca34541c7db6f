"""The requests that are sent: an agent's first turn of 1 KB, and its eighth, with tools and their results, of 20 KB."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ID_PLACE = "@" * 16
"""Stands for the affinity id in a request; the load generators put one there."""

SMALL_BYTES = 1_024
LARGE_BYTES = 20_480
HUGE_BYTES = 204_800

SDK_LINES = {
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "2.45.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.12.7",
    "X-Stainless-Async": "async:asyncio",
    "X-Stainless-Retry-Count": "0",
    "X-Stainless-Read-Timeout": "600",
}
"""What OpenAI's SDK for Python sends besides the lines that every request here has."""

SYSTEM = (
    "You are a database architect. Gather facts with your tools before you recommend anything, compare at least two "
    "systems, name the trade-offs, and end with one recommendation and what would change your mind."
)
TASK = (
    "We run an online shop with 3 million orders a day, five years of history and a dashboard that joins orders, customers "
    "and stock. Writes peak at 2,000 per second in the evening. Which database should we move to, and how do we migrate "
    "without an outage?"
)
TOOLS = {
    "get_db_benchmarks": (
        "Measured throughput and latency of a database under a workload.",
        ("database", "workload"),
    ),
    "get_case_studies": ("How other companies of that size use a database.", ("database", "company_size")),
    "check_feature_support": ("Whether a database has a feature, and since when.", ("database", "feature")),
    "estimate_cost": (
        "Monthly cost of running a database for a load.",
        ("database", "region", "writes_per_second"),
    ),
    "plan_migration": (
        "Steps, risks and a rollback plan from one database to another.",
        ("source", "target"),
    ),
}
FACTS = (
    "p50 3.1 ms, p99 18 ms at 2,000 writes/s on 8 vCPU; the working set of 210 GB fits in memory.",
    "Partitioned by month, the dashboard's join over 90 days takes 1.4 s; with a covering index 0.3 s.",
    "Logical replication lags 40 ms at the peak; failover took 11 s in the drill of March.",
    "Online schema changes hold a lock for 2 ms; a rewrite of the orders table took 6 h in the background.",
)


@dataclass(frozen=True, slots=True)
class Target:
    """The request that reaches one of the upstream's wires through a peer."""

    model: str
    """The model's name, as the peer spells it."""
    headers: Mapping[str, str]
    """What the peer needs besides the usual headers; ``{upstream}`` stands for the upstream's address."""
    path: str = "/v1/chat/completions"
    """Where the peer takes OpenAI's chat completions."""


def build_request(
    target: Target, affinity_header: str, size: int, *, stream: bool, new_text: bool = False, sdk_head: bool = False
) -> bytes:
    """Build a whole HTTP/1.1 request, with ``ID_PLACE`` where its affinity id belongs.

    Args:
        target: Whom to address.
        affinity_header: The header that carries the id.
        size: The body's length, in bytes.
        stream: Whether the answer is to be streamed.
        new_text: Whether the text is another with each id.
        sdk_head: Whether the head has all the lines of OpenAI's SDK.

    Raises:
        ValueError: A body cannot be as short as that.
    """
    body = build_body(target.model, size, stream=stream)
    if new_text:  # as long as before: a text's words change, not how many there are
        body = body.replace(TASK[: len(ID_PLACE)].encode(), ID_PLACE.encode(), 1)
    headers = {
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Accept": "text/event-stream" if stream else "application/json",
        "Authorization": "Bearer sk-benchmark",
        "User-Agent": "OpenAI/Python 2.45.0",
        affinity_header: ID_PLACE,
        **(SDK_LINES if sdk_head else {}),
        **target.headers,
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {target.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def build_body(model: str, size: int, *, stream: bool) -> bytes:
    """Build a chat completion's body of exactly so many bytes.

    Raises:
        ValueError: A body cannot be as short as that.
    """
    turns = 0 if size < LARGE_BYTES else 7
    messages: list[dict[str, object]] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": TASK},
        *(message for turn in range(1, turns + 1) for message in _build_turn(turn)),
    ]
    body: dict[str, object] = {"model": model, "messages": messages, "temperature": 0.2}
    if turns:
        body["tools"] = [_build_tool(name, *tool) for name, tool in TOOLS.items()]
    if stream:
        body["stream"] = True
    missing = size - len(_encode(body))
    if missing < 0:
        raise ValueError(f"A body of {size!r} bytes is too short for {turns} turns: it needs {size - missing}.")
    filler = (" ".join(FACTS) * (missing // len(FACTS[0]) + 1))[:missing]
    messages[-1]["content"] = f"{messages[-1]['content']}{filler}"
    return _encode(body)


def _build_turn(turn: int) -> Iterator[dict[str, object]]:
    calls = [
        {
            "id": f"call_{turn:02}{place}aZ3kLmQ9",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(dict.fromkeys(TOOLS[name][1], "PostgreSQL"))},
        }
        for place, name in enumerate((list(TOOLS)[turn % 5], list(TOOLS)[(turn + 2) % 5]))
    ]
    yield {"role": "assistant", "content": None, "tool_calls": calls}
    for call in calls:
        results = [{"fact": fact, "source": f"report {turn}, page {page}"} for page, fact in enumerate(FACTS, 1)]
        yield {"role": "tool", "tool_call_id": call["id"], "content": json.dumps({"results": results})}


def _build_tool(name: str, description: str, parameters: tuple[str, ...]) -> dict[str, object]:
    properties = {parameter: {"type": "string", "description": f"The {parameter}."} for parameter in parameters}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(parameters),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _encode(body: dict[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
