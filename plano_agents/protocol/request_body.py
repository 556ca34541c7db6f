"""A request's body, split into its top-level fields once and read further only as far as somebody asks.

Most requests belong to a session that is pinned: of theirs nothing is needed but which model they name. A body is
scanned once for it; the conversation is read, and judged, where a request is routed.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Self

import msgspec

from plano_agents.errors import BodyTooLargeError
from plano_agents.protocol.decoding import BAD_JSON, split_fields
from plano_agents.protocol.openai_chat import ChatHead, PreferenceOverride, check_model
from plano_agents.protocol.outline import NO_BEGINNING, Beginning, Outline
from plano_agents.protocol.values import MAX_VALUES, has_more_values

_MODEL = msgspec.json.Decoder(str | None)
_TRUE = msgspec.Raw(b"true")


class RequestBody:
    """One request's body.

    Args:
        content: JSON, or what claims to be.
        parse_head: Reads what routing needs of it, on its surface.

    Raises:
        BodyTooLargeError: It has more than `MAX_VALUES` values.
        RequestError: It is not a JSON object, or its ``model`` or its preferences are none; ``param`` names it.
    """

    def __init__(self, content: bytes, parse_head: Callable[[bytes], ChatHead]) -> None:
        self.content = content
        """As it came."""
        if has_more_values(content, MAX_VALUES):
            raise BodyTooLargeError(
                f"The request has over {MAX_VALUES:,} JSON values. Send fewer messages, parts or tools."
            )
        self.fields = split_fields(content)
        self._parse_head = parse_head
        self.model = self._read_model()
        """The client's model, as it spells it; None where it names none."""
        self.streams = self.fields.get("stream") == _TRUE
        """True if the client asks for a stream."""
        own = self.fields.get("routing_preferences")
        self.preferences: tuple[PreferenceOverride, ...] | None = (
            self.head.routing_preferences if own is not None and bytes(own) != b"null" else None
        )
        """The request's own preferences; None where it brings none."""

        self.outline: Outline | None = None
        """Its outline, where that was known before."""
        self.conversation = b""
        """Its conversation, where its outline was known."""
        self.beginnings = (NO_BEGINNING, NO_BEGINNING)
        """What is known of its conversation's beginning, and of the conversation, to be learnt."""

    @classmethod
    def build(
        cls,
        content: bytes,
        parse_head: Callable[[bytes], ChatHead],
        outline: Outline,
        conversation: bytes,
        beginnings: tuple[Beginning, Beginning],
    ) -> Self:
        """Build a body whose outline is known, of a request without preferences of its own."""
        body = cls.__new__(cls)
        body.content, body._parse_head = content, parse_head  # noqa: SLF001 - its own
        body.model, body.streams, body.preferences = outline.model, outline.streams, None
        body.outline, body.conversation, body.beginnings = outline, conversation, beginnings
        return body

    @cached_property
    def fields(self) -> Mapping[str, msgspec.Raw]:
        """The top-level fields, each value's bytes untouched."""
        assert self.outline is not None, "else they were split"  # noqa: S101 - cannot happen
        return self.outline.read_fields(self.conversation)

    @cached_property
    def head(self) -> ChatHead:
        """The head, as routing needs it.

        Raises:
            RequestError: A field that is read has the wrong type or size; ``param`` names it.
        """
        return self._parse_head(self.content)

    def _read_model(self) -> str | None:
        given = self.fields.get("model")
        if given is None:
            return None
        try:
            model: str | None = _MODEL.decode(given)
        except BAD_JSON:
            return self.head.model
        if model is not None:
            check_model(model)
        return model
