"""Outlines: all of a request's body but its conversation, which most requests of an agent have in common byte for byte.

A body that begins and ends as another did, with one JSON value between, has the same fields as that one, the
conversation excepted. So nothing around it is parsed again. And a conversation mostly goes on from an earlier one: what
that one's bytes had, as their hash tells, is not looked for again.
"""

from collections.abc import Mapping

import msgspec

from plano_agents.protocol.decoding import BAD_JSON

MAX_BYTES = 128 * 1024
"""How long an outline is, at most."""

MAX_SESSIONS = 512
"""Of how many sessions with one outline the latest conversation's hash is known."""

_VALUE = msgspec.json.Decoder(msgspec.Raw)


class Beginning:
    """The part of a conversation that an earlier request had: all of that one's, but the bracket at its end.

    Args:
        size: How long it is, in bytes.
        digest: Its hash, which no client can foresee.
    """

    __slots__ = ("digest", "quiet_for", "size")

    def __init__(self, size: int, digest: int) -> None:
        self.size = size
        self.digest = digest
        self.quiet_for: tuple[object, ...] = ()
        """Those who found nothing in it that they look for."""


NO_BEGINNING = Beginning(0, 0)
"""Nothing is known of a conversation."""


class Outline:
    """A body's outline.

    Args:
        before: What stands before the conversation.
        after: What stands after it.
        conversation: The field that holds it.
        fields: The body's top-level fields, in their order.
        model: The client's model, as it spells it; None where it names none.
        streams: True if the client asks for a stream.
    """

    __slots__ = (
        "_beginnings",
        "_conversation",
        "_fields",
        "_least_bytes",
        "after",
        "before",
        "fitted",
        "model",
        "streams",
    )

    def __init__(
        self,
        before: bytes,
        after: bytes,
        conversation: str,
        fields: Mapping[str, msgspec.Raw],
        *,
        model: str | None,
        streams: bool,
    ) -> None:
        self.before = before
        self.after = after
        self._least_bytes = len(before) + len(after) + 2
        self._conversation = conversation
        nothing = msgspec.Raw(b"null")
        self._fields = {name: raw.copy() if name != conversation else nothing for name, raw in fields.items()}
        self.model = model
        """The client's model."""
        self.streams = streams
        """True if the client asks for a stream."""
        self._beginnings: dict[bytes, Beginning] = {}
        self.fitted: dict[object, object] = {}
        """What others remember of requests with this outline."""

    @property
    def size(self) -> int:
        """Its length, in bytes."""
        return self._least_bytes

    def find_conversation(self, body: bytes) -> bytes | None:
        """Find what stands for the conversation of a body with this outline; None where it has another."""
        if not (body.startswith(self.before) and body.endswith(self.after)) or len(body) < self._least_bytes:
            return None
        conversation = body[len(self.before) : len(body) - len(self.after)]
        return conversation if conversation[0] == _FIRST and conversation[-1] == _LAST else None

    def check_conversation(self, conversation: bytes, session: bytes) -> tuple[Beginning, Beginning] | None:
        """Check that a conversation is one JSON value, which is known of what it goes on from.

        Args:
            conversation: The conversation.
            session: What tells its session from others; only a hint.

        Returns:
            What is known of its beginning, and of itself, to be learnt; None where it is not JSON.
        """
        known = self._beginnings.get(session, NO_BEGINNING)
        size = known.size
        rest = conversation
        if size and hash(conversation[:size]) == known.digest:
            rest = conversation[size:]
            if rest == b"]":
                return known, known
            more = rest[1:].lstrip(_BLANKS)
            rest = b"[" + more if rest[:1] == b"," and more[:1] == b"{" else conversation
        if rest is conversation:
            known = NO_BEGINNING
        try:
            _VALUE.decode(rest)
        except BAD_JSON:
            return None
        if not conversation.endswith(b"}]"):
            return known, NO_BEGINNING
        new = Beginning(len(conversation) - 1, hash(conversation[:-1]))
        self._beginnings.pop(session, None)
        self._beginnings[session] = new
        if len(self._beginnings) > MAX_SESSIONS:
            del self._beginnings[next(iter(self._beginnings))]
        return known, new

    def read_fields(self, conversation: bytes) -> dict[str, msgspec.Raw]:
        """Give the top-level fields of a body with this outline."""
        return {**self._fields, self._conversation: msgspec.Raw(conversation)}


def cut_around(body: bytes, conversation: bytes) -> tuple[bytes, bytes] | None:
    """Cut a conversation out of a body; None where it stands there more than once, or too much is around it."""
    if len(body) - len(conversation) > MAX_BYTES or body.count(conversation) != 1:
        return None
    before, _, after = body.partition(conversation)
    return before, after


_FIRST, _LAST = b"[]"
_BLANKS = b" \t\r\n"
