"""``POST /v1/chat/completions``: the agent in the place of a model, for clients that speak OpenAI's wire.

The assistant's message is the agent's final output, and a streamed answer assembles to the plain one: what the
agent says on the way, beside its tool calls, is no part of it. Whether a turn is the last is known at its end only,
so the output comes at once; until then an empty delta for every turn shows that the agent is at work.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from msgspec import UNSET, UnsetType

from plano_agents.errors import PlanoError
from plano_agents.protocol.openai_chat import encode_error_event
from plano_agents.protocol.openai_completion import (
    Choice,
    Chunk,
    ChunkChoice,
    Completion,
    Delta,
    PromptTokensDetails,
    ReplyMessage,
    Usage,
)
from plano_agents.protocol.sse import DONE, encode_event
from plano_agents.server import events
from plano_agents.server.agent_surface import wait_for_answer
from plano_agents.server.runs import Agent, Run


def build_completion(answer: events.Answer, *, model: str, created: int) -> Completion:
    """Write a finished run as a chat completion.

    Args:
        answer: The run.
        model: The agent's name.
        created: Unix time in seconds.
    """
    return Completion(
        id=_completion_id(answer.run_id),
        created=created,
        model=model,
        choices=(Choice(index=0, message=ReplyMessage(content=answer.output), finish_reason="stop"),),
        usage=_build_usage(answer.usage),
    )


async def answer_completion(agent: Agent, run: Run, *, model: str, created: int) -> bytes:
    """Run, and encode the answer as a chat completion.

    Raises:
        PlanoError: The run failed.
    """
    answer = await wait_for_answer(agent, run)
    return msgspec.json.encode(build_completion(answer, model=model, created=created))


async def stream_completion(
    agent: Agent, run: Run, *, model: str, created: int, include_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Run, and encode the answer as a chat completion's chunks.

    Args:
        agent: The agent.
        run: What to run.
        model: The agent's name.
        created: Unix time in seconds.
        include_usage: Whether a last chunk tells the tokens used.

    Yields:
        Chunks, then ``[DONE]``; or an error event, after which there is no ``[DONE]``.
    """

    def encode(choices: tuple[ChunkChoice, ...], usage: Usage | UnsetType | None = UNSET) -> bytes:
        chunk = Chunk(
            id=_completion_id(run.run_id), created=created, model=model, choices=choices, usage=usage
        )
        return encode_event(msgspec.json.encode(chunk))

    def add(delta: Delta, finish_reason: str | None = None) -> bytes:
        choice = ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)
        return encode((choice,), None if include_usage else UNSET)

    yield add(Delta(role="assistant", content=""))
    try:
        async with aclosing(agent.run(run)) as happened:
            async for event in happened:
                if isinstance(event, events.Turn):
                    yield add(Delta())
                elif isinstance(event, events.Answer):
                    yield add(Delta(content=event.output))
                    yield add(Delta(), "stop")
                    if include_usage:
                        yield encode((), _build_usage(event.usage))
                    yield DONE
    except PlanoError as error:
        yield encode_error_event(error)


def _completion_id(run_id: str) -> str:
    return "chatcmpl-" + run_id.removeprefix("run_")


def _build_usage(usage: events.Usage) -> Usage:
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cache_read_tokens),
    )
