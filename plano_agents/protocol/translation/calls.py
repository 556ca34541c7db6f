"""The tool calls of an answer as the hub has them: each with its own id, the name at the front, numbered in order.

OpenAI numbers the calls of a streamed answer; some compatible providers give every call the number 0 or none, leave
ids out, use one for every answer, or send the name late or with every piece. So a new id is a new call, whatever its
number; so is a name that comes when the call with its number is whole. A call is held until its name is there.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import openai_completion as openai
from plano_agents.protocol.decoding import BAD_JSON

_ID_DIGITS = 20


class CallIds:
    """Gives the calls of one answer ids that no other call of its conversation has; made anew for each answer.

    A provider's own id is kept where it is one. Any other is made from the request: the same request always gets the
    same ids, and the next turn, whose request is longer, gets others.

    Args:
        request: The request's bytes.
        taken: The ids of the calls that stand in the request.
    """

    def __init__(self, request: bytes = b"", taken: Collection[str] = ()) -> None:
        self._request = request
        self._taken = set(taken)

    def give(self, said: str | None) -> str:
        """Give the next call its id.

        Args:
            said: What the provider calls it; empty or None where it does not.
        """
        call_id = said if said and said not in self._taken else self._make()
        self._taken.add(call_id)
        return call_id

    def _make(self) -> str:
        digest = hashlib.sha256(b"%d:%b" % (len(self._taken), self._request))
        return f"call_{digest.hexdigest()[:_ID_DIGITS]}"


def name_calls(calls: Sequence[openai.ReplyCall], ids: CallIds) -> tuple[openai.ReplyCall, ...]:
    """Give the calls of a whole answer their ids.

    Raises:
        UpstreamProtocolError: A call has no name.
    """
    for call in calls:
        check_name(call.function.name)
    return tuple(msgspec.structs.replace(call, id=ids.give(call.id), type="function") for call in calls)


def check_name(name: str) -> str:
    """Give the name of a call's tool.

    Raises:
        UpstreamProtocolError: There is none.
    """
    if not name:
        raise UpstreamProtocolError("The provider called a tool and left out its name.")
    return name


@dataclass(slots=True)
class _Call:
    """A call as far as it has come."""

    number: int
    """Its place among those that have begun; -1 until its name is there."""
    said_id: str = ""
    """What the provider calls it."""
    arguments: list[str] = field(default_factory=list)
    """Its pieces, JSON text together."""
    extra_content: msgspec.Raw | msgspec.UnsetType = UNSET
    """See `ReplyCall.extra_content`."""

    @property
    def is_whole(self) -> bool:
        """True if its arguments are a JSON object, to which nothing can be added."""
        if not self.arguments or not self.arguments[-1].rstrip().endswith("}"):
            return False
        try:
            msgspec.json.decode("".join(self.arguments), type=dict[str, msgspec.Raw])
        except BAD_JSON:
            return False
        return True


class CallStream:
    """Puts the pieces of one streamed answer's calls in order; made anew for each answer.

    Args:
        ids: Gives the calls their ids.
    """

    def __init__(self, ids: CallIds) -> None:
        self._ids = ids
        self._latest: dict[int, _Call] = {}
        self._count = 0

    def feed(self, pieces: Collection[openai.ToolCallDelta]) -> Iterator[openai.ToolCallDelta]:
        """Take the pieces of one chunk.

        Returns:
            The first piece of each call with its number, id and name; the others with its number alone.
        """
        for piece in pieces:
            yield from self._take(piece, piece.function or openai.FunctionDelta())

    def check(self) -> None:
        """Check, at the answer's end, that each call had its name.

        Raises:
            UpstreamProtocolError: One had none.
        """
        for call in self._latest.values():
            if call.number < 0:
                check_name("")

    def _take(self, piece: openai.ToolCallDelta, function: openai.FunctionDelta) -> Iterator[openai.ToolCallDelta]:
        call = self._find(piece, function)
        call.said_id = call.said_id or piece.id or ""
        if piece.extra_content is not UNSET:
            call.extra_content = piece.extra_content
        if function.arguments:
            call.arguments.append(function.arguments)
        if call.number >= 0:
            if function.arguments or piece.extra_content is not UNSET:
                yield openai.ToolCallDelta(
                    call.number,
                    function=openai.FunctionDelta(arguments=function.arguments or ""),
                    extra_content=piece.extra_content,
                )
        elif function.name:
            call.number = self._count
            self._count += 1
            begun = openai.FunctionDelta(function.name, "".join(call.arguments))
            yield openai.ToolCallDelta(call.number, self._ids.give(call.said_id), "function", begun, call.extra_content)

    def _find(self, piece: openai.ToolCallDelta, function: openai.FunctionDelta) -> _Call:
        call = self._latest.get(piece.index)
        if call is None or self._is_another(call, piece, function):
            call = self._latest[piece.index] = _Call(-1)
        return call

    @staticmethod
    def _is_another(call: _Call, piece: openai.ToolCallDelta, function: openai.FunctionDelta) -> bool:
        if piece.id and call.said_id:
            return piece.id != call.said_id
        begins = bool(function.name) and (function.arguments or "").lstrip().startswith("{")
        return begins and call.number >= 0 and call.is_whole
