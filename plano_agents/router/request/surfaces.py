"""The proxied endpoints, a row each: which API a client speaks there, and whether it wants the answer or the decision.

What a surface's requests, answers and errors look like is known to ``protocol``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from plano_agents.errors import PlanoError
from plano_agents.protocol import anthropic_messages, openai_chat, openai_responses
from plano_agents.protocol.end_mark import EndMark
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_chat import ChatHead


@dataclass(frozen=True, slots=True)
class Surface:
    """An API that clients speak."""

    form: Form
    """Its wire format."""
    path: str
    """Where it is served."""
    counting: str
    """The step below its path that counts a request's tokens; empty where it has none."""
    parse_head: Callable[[bytes], ChatHead]
    """Reads what routing needs of a request."""
    end_mark: EndMark
    """Finds what every stream has that came to its end."""
    encode_error: Callable[[PlanoError], bytes]
    """Writes an error's body."""
    encode_error_event: Callable[[PlanoError], bytes]
    """Writes an error in the middle of a stream."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something that clients post to."""

    surface: Surface
    """The API spoken there."""
    decides_only: bool = False
    """True if the answer is the routing decision, and no provider is asked."""
    counts_only: bool = False
    """True if the answer is the number of the input's tokens."""
    compacts: bool = False
    """True if the answer is the transcript, compacted."""
    path: str = field(init=False)
    """Where it is posted to."""

    def __post_init__(self) -> None:
        path = f"/routing{self.surface.path}" if self.decides_only else self.surface.path
        step = f"/{self.surface.counting}" if self.counts_only else "/compact" if self.compacts else ""
        object.__setattr__(self, "path", path + step)


CHAT = Surface(
    Form.OPENAI_CHAT,
    "/v1/chat/completions",
    "",
    openai_chat.parse_head,
    openai_chat.END_MARK,
    openai_chat.encode_error,
    openai_chat.encode_error_event,
)
MESSAGES = Surface(
    Form.ANTHROPIC_MESSAGES,
    "/v1/messages",
    "count_tokens",
    anthropic_messages.parse_head,
    anthropic_messages.END_MARK,
    anthropic_messages.encode_error,
    anthropic_messages.encode_error_event,
)
RESPONSES = Surface(
    Form.OPENAI_RESPONSES,
    "/v1/responses",
    "input_tokens",
    openai_responses.parse_head,
    openai_responses.END_MARK,
    openai_chat.encode_error,
    openai_responses.encode_error_event,
)
SURFACES = (CHAT, MESSAGES, RESPONSES)

COMPACT = Endpoint(RESPONSES, compacts=True)
COUNTING = tuple(Endpoint(surface, counts_only=True) for surface in SURFACES if surface.counting)

ENDPOINTS = {
    endpoint.path: endpoint
    for surface in SURFACES
    for endpoint in (Endpoint(surface), Endpoint(surface, decides_only=True))
} | {endpoint.path: endpoint for endpoint in (*COUNTING, COMPACT)}
"""Every proxied endpoint, by path."""


def speaks_anthropic(headers: Mapping[str, str]) -> bool:
    """Check whether a request beside the proxied endpoints is of a client of Anthropic's API, which names its version.

    Args:
        headers: The request's, names in lower case.
    """
    return "anthropic-version" in headers


def choose_error_form(headers: Mapping[str, str]) -> Callable[[PlanoError], bytes]:
    """Choose how errors are written for a request beside the proxied endpoints.

    Args:
        headers: The request's, names in lower case.
    """
    return (MESSAGES if speaks_anthropic(headers) else CHAT).encode_error
