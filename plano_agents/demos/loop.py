"""The demo's agent loop: plain OpenAI SDK, tools until there is an answer, one request per turn.

Nothing in it knows about routing but the one header that it sends, or does not. What served each turn is read
from the answer: the model from its body, the rest from the router's headers, where they are.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.demos.database_selection import SYSTEM_PROMPT, TASK, TOOLS, run_tool
from plano_agents.integrations.plano_headers import parse_server_timing
from plano_agents.integrations.router_address import name_url

MAX_TURNS = 12
"""Turns after which the loop gives up; the job takes about five."""


class UnfinishedError(Exception):
    """The model still called tools when the turns ran out."""


class NoCompletionError(Exception):
    """The answer is not a chat completion: some other web server answers, not a router."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of the loop, and what came of it."""

    number: int
    """Counted from 1."""
    model: str
    """The model that served it, in the provider's own words."""
    route: str | None
    """The preference that chose the model; None where none did, or the router does not say."""
    decision: str | None
    """The router's affinity decision, with its reason; None where it does not say."""
    tool_calls: tuple[str, ...]
    """The tools called, in order; none on the last turn."""
    text: str
    """What the model said."""
    prompt_tokens: int
    """Tokens of the prompt, cached ones among them."""
    cached_tokens: int
    """Tokens of the prompt that the provider read from its cache."""
    routing_ms: float | None
    """What deciding took, in milliseconds; None where the router does not say."""
    upstream_ms: float | None
    """What the model took, in milliseconds; None where the router does not say."""


def run_turns(client: openai.OpenAI, *, name: str, model: str, affinity_id: str | None) -> Iterator[Turn]:
    """Run the loop, a turn at a time.

    Args:
        client: Connected to a router.
        name: What tells this run's prompts from another's: it stands in front of the instructions, so that no run
            reads from the prompt cache what another has written.
        model: The model asked for; the router may choose another.
        affinity_id: Sent with every request; None sends no header.

    Yields:
        Every turn, as soon as it is there; the last one holds the answer.

    Raises:
        openai.OpenAIError: The router or the provider failed.
        NoCompletionError: Something else than a router answered.
        UnfinishedError: There was no answer after `MAX_TURNS`.
    """
    headers = {AFFINITY_HEADER: affinity_id} if affinity_id is not None else {}
    messages: list[Any] = [
        {"role": "system", "content": f"[{name}]\n{SYSTEM_PROMPT}"},
        {"role": "user", "content": TASK},
    ]
    for number in range(1, MAX_TURNS + 1):
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=messages, tools=TOOLS, extra_headers=headers
        )
        completion = raw.parse()
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise NoCompletionError(f"What answers at {name_url(str(client.base_url))} sent no chat completion.")
        message = completion.choices[0].message
        turn = _read_turn(number, completion.model, message, completion.usage, raw.headers)
        yield turn
        if not turn.tool_calls:
            return
        messages.append(message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
        messages.extend(
            {
                "role": "tool",
                "tool_call_id": call.id,
                "content": run_tool(call.function.name, call.function.arguments),
            }
            for call in message.tool_calls or ()
            if call.type == "function"
        )
    raise UnfinishedError(f"The model still called tools after {MAX_TURNS} turns.")


def count_switches(turns: list[Turn]) -> int:
    """Count how often a turn was served by another model than the turn before it."""
    return sum(before.model != after.model for before, after in pairwise(turns))


def _read_turn(
    number: int,
    model: str,
    message: ChatCompletionMessage,
    usage: CompletionUsage | None,
    headers: Mapping[str, str],
) -> Turn:
    timings = parse_server_timing(headers.get("server-timing", ""))
    details = usage.prompt_tokens_details if usage is not None else None
    return Turn(
        number=number,
        model=model,
        route=headers.get("x-plano-route"),
        decision=headers.get("x-plano-affinity"),
        tool_calls=tuple(call.function.name for call in message.tool_calls or () if call.type == "function"),
        text=message.content or "",
        prompt_tokens=usage.prompt_tokens if usage is not None else 0,
        cached_tokens=(details.cached_tokens if details is not None else None) or 0,
        routing_ms=timings.get("routing"),
        upstream_ms=timings.get("upstream"),
    )
