"""The identity of an answer, read from its bytes on any surface: its id, and the model as it calls itself."""

from typing import NamedTuple

import msgspec
from msgspec import Struct

from plano_agents.protocol import sse
from plano_agents.protocol.decoding import BAD_JSON


class Identity(NamedTuple):
    """An answer's id and model; None where it does not say."""

    id: str | None = None
    """The answer's id."""
    model: str | None = None
    """The model that answered, as its provider calls it."""


class _Named(Struct, frozen=True):
    id: str | None = None
    model: str | None = None


class _Answer(_Named, frozen=True):
    """An answer or an event; some events carry what they tell of under ``message`` or ``response``."""

    message: _Named | None = None
    response: _Named | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_identity(head: bytes, *, streams: bool) -> Identity:
    """Read who an answer is from.

    Args:
        head: A whole answer's body, or a stream's first events, whole ones.
        streams: Which of them it is.
    """
    try:
        told = [event.data for event in sse.decode_events(head)[:1]] if streams else [head]
        answer = _ANSWER.decode(told[0])
    except (*BAD_JSON, IndexError):
        return Identity()
    named = answer.message or answer.response or answer
    return Identity(named.id, named.model)


def read_response_id(body: bytes, *, streams: bool) -> str | None:
    """Read the id of an answer on OpenAI's responses; None where it has none.

    Args:
        body: A whole response, or whole events of its stream, any of them.
        streams: Which of them it is.
    """
    for data in [event.data for event in sse.decode_events(body)] if streams else [body]:
        try:
            answer = _ANSWER.decode(data)
        except BAD_JSON:
            continue
        named = answer.response if streams else answer
        if named is not None and named.id:
            return named.id
    return None
