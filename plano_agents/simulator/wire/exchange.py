"""One request and its answer, between the wires and the agent: what was asked, what is refused, what is answered.

Cutting an answer to ``max_tokens`` and at stop sequences happens here, for both wires alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from plano_agents.simulator.agent.reply import Reply
from plano_agents.simulator.conversation import Conversation, ToolCall
from plano_agents.simulator.prompt_cache import PromptUsage
from plano_agents.simulator.tokens import count_tokens, split_tokens

Finish = Literal["stop", "tool_calls", "length", "stop_sequence"]
Thoughts = Literal["none", "shown", "omitted"]
"""True if the answer tells what the model thought: not at all, in words, or that it thought and no more."""


class Refusal(Exception):  # noqa: N818 - a provider refuses; nothing failed
    """A request that the provider answers with an error.

    Args:
        status: The HTTP status.
        kind: The wire's ``type`` of the error.
        message: The provider's words.
        param: The field at fault, where the wire names it.
        code: The wire's code, where it has one.
    """

    def __init__(
        self, status: int, kind: str, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code
        self.retry_after: int | None = None
        """How long the client should wait before it tries again, in seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that its wire accepted."""

    model: str
    """The model's name, as asked."""
    conversation: Conversation
    """What was sent."""
    stream: bool
    """True if the answer comes as server-sent events."""
    include_usage: bool = True
    """True if a stream reports its usage."""
    max_tokens: int | None = None
    """How long the answer may be, in tokens."""
    stop: tuple[str, ...] = ()
    """The sequences that end the answer."""
    thoughts: Thoughts = "none"
    """How thoughts are shown."""
    echo: Mapping[str, object] = field(default_factory=dict)
    """What the answer repeats of it, where its wire does."""
    cache_key: str = ""
    """What names the prompt's cache; empty for nothing."""
    cache_marks: Mapping[str, float] | None = None
    """What is marked for the cache, by its place as `conversation` names it, with the time to live of each in seconds;
    None on a wire that knows no marks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, ready to be written on a wire."""

    id: str
    """24 letters and digits."""
    model: str
    """The model's name, as asked."""
    text: str
    """The words, cut where they had to be."""
    calls: tuple[ToolCall, ...]
    """The calls that fitted in."""
    finish: Finish
    """Why it ends."""
    stop_sequence: str | None
    """The stop sequence that ended it."""
    prompt: PromptUsage
    """The prompt's tokens."""
    completion_tokens: int
    """The answer's own tokens."""
    created: int
    """When, in seconds since 1970."""
    thought: str | None = None
    """What was thought, as it is shown: empty where it is omitted, None where there is none."""
    thought_tokens: int = 0
    """How many of the tokens were thought."""
    echo: Mapping[str, object] = field(default_factory=dict)
    """See `Request.echo`."""


def build_answer(reply: Reply, request: Request, prompt: PromptUsage, created: int) -> Answer:
    """Cut a reply to what the request allows, and count it.

    A call that does not fit in ``max_tokens`` is left out whole; the real ones may break off inside its arguments.
    Thoughts count, and come first.
    """
    thought = split_tokens(reply.thought)[: request.max_tokens] if request.thoughts != "none" else []
    text, stopped = _stop_at(reply.text, request.stop)
    finish: Finish = "stop_sequence" if stopped is not None else "tool_calls" if reply.calls else "stop"
    calls = () if stopped is not None else reply.calls
    limit = request.max_tokens - len(thought) if request.max_tokens is not None else None
    pieces = split_tokens(text)
    if limit is not None and len(pieces) > limit:
        text, calls, finish, stopped = "".join(pieces[:limit]), (), "length", None
    used = count_tokens(text)
    fitting: list[ToolCall] = []
    for call in calls:
        size = count_tokens(call.name) + count_tokens(call.arguments_json)
        if limit is not None and used + size > limit:
            finish = "length"
            break
        used += size
        fitting.append(call)
    return Answer(
        id=reply.id,
        model=request.model,
        text=text,
        calls=tuple(fitting),
        finish=finish,
        stop_sequence=stopped,
        prompt=prompt,
        completion_tokens=used + len(thought),
        created=created,
        thought={"none": None, "omitted": "", "shown": "".join(thought)}[request.thoughts],
        thought_tokens=len(thought),
        echo=request.echo,
    )


def _stop_at(text: str, sequences: tuple[str, ...]) -> tuple[str, str | None]:
    places = [(text.find(sequence), sequence) for sequence in sequences if sequence and sequence in text]
    if not places:
        return text, None
    at, sequence = min(places)
    return text[:at], sequence
