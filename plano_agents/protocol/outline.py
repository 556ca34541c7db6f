"""Outlines: all of a request's body but its conversation, which most requests of an agent have in common byte for byte.

A body that begins and ends as another did, with one JSON value between, has the same fields as that one, the
conversation excepted. So nothing around it is parsed again. And a conversation mostly goes on from an earlier one: what
that one's bytes had is not looked for again.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import count

import msgspec

from plano_agents.protocol.decoding import BAD_JSON

MAX_BYTES = 128 * 1024
"""How long an outline is, at most."""

MAX_KNOWN_BYTES = 32 * 1024 * 1024
"""How many bytes of conversations are known, of all outlines together."""

_VALUE = msgspec.json.Decoder(msgspec.Raw)


class Beginning:
    """The part of a conversation that an earlier request had.

    Args:
        text: All of that one's conversation, but for the bracket at its end.
    """

    __slots__ = ("quiet_for", "size", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.size = len(text)
        """How long it is, in bytes."""
        self.quiet_for: tuple[object, ...] = ()
        """Those who found nothing in it that they look for."""


NO_BEGINNING = Beginning(b"")
"""Nothing is known of a conversation."""


class Beginnings:
    """The latest conversation of each session, of those that came last: up to so many bytes.

    Args:
        max_bytes: How many, with what stands around the conversations.
    """

    def __init__(self, max_bytes: int = MAX_KNOWN_BYTES) -> None:
        self._max_bytes = max_bytes
        self._known: OrderedDict[tuple[int, bytes], tuple[Beginning, int]] = OrderedDict()
        self._bytes = 0
        self.number = count().__next__
        """Gives an outline its number."""

    def forget(self) -> None:
        """Know no conversation any more."""
        self._known.clear()
        self._bytes = 0

    def find(self, key: tuple[int, bytes]) -> Beginning:
        """Find what is known of a session's conversation, by its outline's number and what tells it from others."""
        found = self._known.get(key)
        return found[0] if found is not None else NO_BEGINNING

    def keep(self, key: tuple[int, bytes], beginning: Beginning, around: int) -> None:
        """Keep a session's latest conversation in place of its last.

        Args:
            key: See `find`.
            beginning: The conversation.
            around: How many bytes stand around it.
        """
        known = self._known
        _, before = known.pop(key, (None, 0))
        size = beginning.size + around + _OVERHEAD
        known[key] = (beginning, size)
        self._bytes += size - before
        while self._bytes > self._max_bytes:
            _, (_, gone) = known.popitem(last=False)
            self._bytes -= gone


_OVERHEAD = 512
"""What keeping a conversation takes besides, in bytes, roughly."""


class Outline:
    """A body's outline.

    Args:
        before: What stands before the conversation.
        after: What stands after it.
        conversation: The field that holds it.
        fields: The body's top-level fields, in their order.
        model: The client's model, as it spells it; None where it names none.
        streams: True if the client asks for a stream.
        beginnings: Knows the conversations.
    """

    __slots__ = (
        "_beginnings",
        "_conversation",
        "_fields",
        "_least_bytes",
        "_number",
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
        beginnings: Beginnings,
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
        self._beginnings = beginnings
        self._number = beginnings.number()
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
        known = self._beginnings.find((self._number, session))
        rest = conversation
        if known.size and conversation.startswith(known.text):
            rest = conversation[known.size :]
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
        new = Beginning(conversation[:-1])
        self._beginnings.keep((self._number, session), new, self._least_bytes)
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
