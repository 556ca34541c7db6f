"""The demo's agent loop: plain OpenAI SDK, tools until there is an answer, then the next piece of work.

Nothing in it knows about routing but the one header that it sends, or does not. What served each turn is read
from the answer: the model from its body, the rest from the router's headers, where they are. Where the model changed,
the router is asked why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER
from plano_agents.demos.database_selection import SYSTEM_PROMPT, TOOLS, run_tool
from plano_agents.demos.job import PIECES, Piece
from plano_agents.demos.routing_service import Scores, ask_scores
from plano_agents.integrations.plano_headers import parse_server_timing
from plano_agents.integrations.router_address import name_url

MAX_TURNS = 24
"""Turns after which the loop stops; the job takes about eight."""


class NoCompletionError(Exception):
    """The answer is not a chat completion: some other web server answers, not a router."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of the loop, and what came of it."""

    number: int
    """Counted from 1."""
    piece: str
    """The title of the piece of work that it belongs to."""
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
    scores: Scores = ()
    """What the router's preferences scored, the best first, where the model is another than on the turn before; empty
    where the router does not say."""
    is_final: bool = False
    """True if it ends the job."""
    deployment: str | None = None
    """The place that served the model, where it has several; None where it has one, or the router does not say."""


def run_turns(
    client: openai.OpenAI,
    *,
    name: str,
    model: str,
    affinity_id: str | None,
    pieces: Sequence[Piece] = PIECES,
    max_turns: int = MAX_TURNS,
    sends_hints: bool = False,
) -> Iterator[Turn]:
    """Run the loop, a turn at a time.

    Args:
        client: Connected to a router.
        name: What tells this run's prompts from another's: it stands in front of the instructions, so that no run
            reads from the prompt cache what another has written.
        model: The model asked for; the router may choose another.
        affinity_id: Sent with every request; None sends no header.
        pieces: The job: each piece is asked for once the one before it is done.
        max_turns: How many turns are taken at most; then the loop stops where it is.
        sends_hints: Whether each request names the model of the turn before it, so that a router that has lost its
            memory keeps it.

    Yields:
        Every turn, as soon as it is there.

    Raises:
        openai.OpenAIError: The router or the provider failed.
        NoCompletionError: Something else than a router answered.
    """
    headers = {AFFINITY_HEADER: affinity_id} if affinity_id is not None else {}
    messages: list[Any] = [{"role": "system", "content": f"[{name}]\n{SYSTEM_PROMPT}"}]
    left = list(pieces)
    piece = left.pop(0)
    messages.append({"role": "user", "content": piece.request})
    before: str | None = None
    for number in range(1, max_turns + 1):
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=messages, tools=TOOLS, extra_headers=headers
        )
        completion = raw.parse()
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise NoCompletionError(f"What answers at {name_url(str(client.base_url))} sent no chat completion.")
        message = completion.choices[0].message
        if sends_hints and (served_by := raw.headers.get("x-plano-model")):
            headers[HINT_HEADER] = served_by
        turn = _read_turn(number, piece.title, completion.model, message, completion.usage, raw.headers)
        if turn.route is not None and affinity_id is None and before not in {None, turn.model}:
            turn = replace(turn, scores=ask_scores(client, model=model, messages=messages, tools=TOOLS))
        before = turn.model
        if turn.tool_calls or left:
            yield turn
        else:
            yield replace(turn, is_final=True)
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
        if not turn.tool_calls:
            piece = left.pop(0)
            messages.append({"role": "user", "content": piece.request})


def count_switches(models: Sequence[str]) -> int:
    """Count how often a turn was served by another model than the turn before it.

    Args:
        models: The models, turn by turn.
    """
    return sum(before != after for before, after in pairwise(models))


def _read_turn(  # noqa: PLR0917 - what an answer says
    number: int,
    piece: str,
    model: str,
    message: ChatCompletionMessage,
    usage: CompletionUsage | None,
    headers: Mapping[str, str],
) -> Turn:
    timings = parse_server_timing(headers.get("server-timing", ""))
    details = usage.prompt_tokens_details if usage is not None else None
    return Turn(
        number=number,
        piece=piece,
        model=model,
        route=headers.get("x-plano-route"),
        decision=headers.get("x-plano-affinity"),
        deployment=headers.get("x-plano-deployment"),
        tool_calls=tuple(call.function.name for call in message.tool_calls or () if call.type == "function"),
        text=message.content or "",
        prompt_tokens=usage.prompt_tokens if usage is not None else 0,
        cached_tokens=(details.cached_tokens if details is not None else None) or 0,
        routing_ms=timings.get("routing"),
        upstream_ms=timings.get("upstream"),
    )
