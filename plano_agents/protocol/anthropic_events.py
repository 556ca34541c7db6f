"""Anthropic's answers as they are written: a whole message, and the events of a stream.

Shapes are those of Anthropic's API reference, "Create a Message" and "Streaming messages"; an answer's content blocks
are written in the shapes that requests send them back in.
"""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from plano_agents.protocol import sse
from plano_agents.protocol.anthropic_reply import Usage
from plano_agents.protocol.anthropic_request import Block


class Answer(Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A whole message; also, still empty, what ``message_start`` carries."""

    id: str
    model: str
    content: tuple[Block | msgspec.Raw, ...] = ()
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage
    role: str = "assistant"
    native_finish_reason: str | UnsetType = UNSET
    """The provider's own word for why it ended, where it is none of the standard's."""


class MessageStart(Struct, frozen=True, tag_field="type", tag="message_start"):
    """The first event."""

    message: Answer


class BlockStart(Struct, frozen=True, tag_field="type", tag="content_block_start"):
    """A block begins."""

    index: int
    content_block: Block | msgspec.Raw


class TextDelta(Struct, frozen=True, tag_field="type", tag="text_delta"):
    """A piece of text."""

    text: str


class ThinkingDelta(Struct, frozen=True, tag_field="type", tag="thinking_delta"):
    """A piece of thinking."""

    thinking: str


class SignatureDelta(Struct, frozen=True, tag_field="type", tag="signature_delta"):
    """A thinking block's signature."""

    signature: str


class InputDelta(Struct, frozen=True, tag_field="type", tag="input_json_delta"):
    """A piece of a tool's input."""

    partial_json: str


BlockDeltaKind = TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class BlockDelta(Struct, frozen=True, tag_field="type", tag="content_block_delta"):
    """A block grows."""

    index: int
    delta: BlockDeltaKind


class BlockStop(Struct, frozen=True, tag_field="type", tag="content_block_stop"):
    """A block is whole."""

    index: int


class Stopped(Struct, frozen=True):
    """The reason for which the answer ended."""

    stop_reason: str
    stop_sequence: str | None = None
    native_finish_reason: str | UnsetType = UNSET
    """See `Answer.native_finish_reason`."""


class MessageDelta(Struct, frozen=True, tag_field="type", tag="message_delta"):
    """The answer's end, with the usage of all of it."""

    delta: Stopped
    usage: Usage


class MessageStop(Struct, frozen=True, tag_field="type", tag="message_stop"):
    """The last event."""


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop


def encode_event(event: Event) -> bytes:
    """Write one event under its own name."""
    return sse.encode_event(msgspec.json.encode(event), str(event.__struct_config__.tag))
