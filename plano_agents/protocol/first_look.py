"""A first look at an answer of status 200, before a byte of it goes to the client: whether it is one at all.

Providers and gateways tell of failures in a 200 too: as JSON with an ``error``, as a page, as a stream whose first
event is an error, also after the events that every stream begins with (``message_start``, ``response.created``, a delta
of the role alone). What is found here is a failure as any other: with the status that it should have had, it can be
tried again elsewhere.
"""

import re
from collections.abc import Sequence
from enum import Enum
from itertools import chain

import msgspec
from msgspec import Struct

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol import sse
from plano_agents.protocol.decoding import ABSENT, BAD_JSON
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.provider_error import is_too_long, read_provider_error

MAX_OPENING_BYTES = 16 * 1024
"""How much of a stream is looked at."""

_PARTS = {
    Form.OPENAI_CHAT: "choices",
    Form.ANTHROPIC_MESSAGES: "content",
    Form.OPENAI_RESPONSES: "output",
}
"""What every whole answer of a form has."""
_MARKS = {form: re.compile(rf'"{part}"\s*:\s*\[\s*{{'.encode()) for form, part in _PARTS.items()}

NO_ERROR = (ABSENT, b"{}", b'""', b"[]", b"false")
"""What providers write where there is no error."""

_PRELUDES = frozenset(
    {"message_start", "ping", "response.created", "response.in_progress", "response.queued", "keepalive"}
)
"""Events that say nothing yet."""

_FAILED = "response.failed"
_DONE = b"[DONE]"

_EVENT_STARTS = (b"data:", b"event:", b"id:", b"retry:", b":")
_BOM = b"\xef\xbb\xbf"

_STATUSES = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_request_error": 400,
    "overloaded_error": 529,
    "timeout_error": 504,
}
"""The statuses of errors by type or code, where no number tells; others are a bad gateway's."""
_BAD_REQUEST, _BAD_GATEWAY = 400, 502
_ERROR_STATUSES, _STATUS_DIGITS = range(400, 600), 3

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Opening(Enum):
    """The verdict on a stream's first bytes."""

    SILENT = "silent"
    """Nothing yet that an answer has."""
    BEGUN = "begun"
    """The beginning of an answer."""


class FoundError(Struct, frozen=True):
    """An error within a 200."""

    status: int
    """The status that it should have had."""
    body: bytes
    """The provider's own words, JSON."""


class _Delta(Struct, frozen=True):
    content: object = None
    tool_calls: object = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: object = None


class _Choice(Struct, frozen=True):
    delta: _Delta | None = None
    finish_reason: object = None
    text: object = None


class _Event(Struct, frozen=True):
    """An event of any form, read for whether it says something."""

    type: str | None = None
    error: msgspec.Raw = ABSENT
    choices: tuple[_Choice, ...] | None = None
    object: str | None = None
    response: msgspec.Raw = ABSENT
    """What a failed response says of itself."""


_EVENT = msgspec.json.Decoder(_Event)


def looks_like_events(body: bytes) -> bool:
    """Check whether bytes are the beginning of server-sent events, whatever their content type says."""
    if body[:1] == b"{":
        return False  # mostly it is JSON
    return body.removeprefix(_BOM).lstrip().startswith(_EVENT_STARTS)


def may_be_events(opening: bytes) -> bool:
    """Check whether the first bytes of an answer may be those of server-sent events, as few as they are."""
    if _BOM.startswith(opening):
        return True
    text = opening.removeprefix(_BOM).lstrip()
    return text.startswith(_EVENT_STARTS) or any(start.startswith(text) for start in _EVENT_STARTS)


def check_whole(body: bytes, form: Form) -> FoundError | None:
    """Look at a whole answer of status 200.

    Args:
        body: The answer.
        form: The wire that was spoken.

    Returns:
        The error that it is; None where it is an answer.

    Raises:
        UpstreamProtocolError: It is neither.
    """
    if b'"error"' not in body and _MARKS[form].search(body) is not None:
        return None
    try:
        fields = _FIELDS.decode(body)
    except BAD_JSON as error:
        found = read_provider_error(body)
        if found is not None:
            return FoundError(find_status(found), body)
        raise UpstreamProtocolError("The provider answered 200 with a body that is not a JSON object.") from error
    part = fields.get(_PARTS[form])
    said = part is not None and bytes(part) not in {b"null", b"[]"}
    if not said or fields.get("error", ABSENT) not in NO_ERROR:
        found = read_provider_error(body) if not said or form is not Form.OPENAI_RESPONSES else None
        if found is not None:
            return FoundError(find_status(found), body)
    is_empty = part is not None and bytes(part) == b"[]"
    if not said and (form is Form.OPENAI_CHAT or not is_empty):
        raise UpstreamProtocolError(f"The provider answered 200 without {_PARTS[form]!r}.")
    return None


class OpeningLook:
    """A look at the first bytes of a stream as they come, each of them once."""

    __slots__ = ("_decoder", "_is_surely_events", "_pieces", "_size")

    def __init__(self) -> None:
        self._decoder = sse.EventDecoder()
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_surely_events = False

    @property
    def came(self) -> bytes:
        """All bytes that came."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def take(self, chunk: bytes) -> Opening | FoundError | None:
        """Take the next bytes, and judge the stream by all that came; None where they cannot be events."""
        self._pieces.append(chunk)
        if not self._is_surely_events:
            came = self.came
            if not may_be_events(came):
                return None
            self._is_surely_events = looks_like_events(came)
        return self.judge(chunk)

    def judge(self, chunk: bytes) -> Opening | FoundError:
        """Judge the stream by the events that the next bytes complete: those before them said nothing."""
        self._size += len(chunk)
        for event in chain.from_iterable(map(self._decode, sse.cut(chunk))):
            try:
                read = _EVENT.decode(event.data)
            except msgspec.ValidationError:
                if event.data == _DONE:
                    continue
                error = read_provider_error(event.data)
                return Opening.BEGUN if error is None else FoundError(find_status(error), event.data)
            except BAD_JSON:
                continue  # no answer's event
            said = bytes(read.response) if read.type == _FAILED else event.data
            if _may_be_error(read):
                error = read_provider_error(said)
                if error is not None:
                    return FoundError(find_status(error), said)
            if not _is_prelude(read):
                return Opening.BEGUN
        return Opening.SILENT if self._size < MAX_OPENING_BYTES else Opening.BEGUN

    def _decode(self, chunk: bytes) -> Sequence[sse.Event]:
        try:
            return self._decoder.feed(chunk)
        except UpstreamProtocolError:
            return ()  # an event that is too large says nothing here


def judge_opening(opening: bytes) -> Opening | FoundError:
    """Look at the first bytes of a stream.

    Args:
        opening: All bytes that came so far.
    """
    return OpeningLook().judge(opening)


def find_status(error: ErrorDetail) -> int:
    """Find the status that an error within a 200 should have had."""
    if is_too_long(error):
        return _BAD_REQUEST
    code = error.code or ""
    if len(code) == _STATUS_DIGITS and code.isdecimal() and int(code) in _ERROR_STATUSES:
        return int(code)
    return _STATUSES.get(code) or _STATUSES.get(error.type, _BAD_GATEWAY)


def _may_be_error(event: _Event) -> bool:
    is_unknown = event.type is None and event.choices is None
    is_named = event.type in {"error", _FAILED} or event.object == "error"
    return is_unknown or is_named or event.error not in NO_ERROR


def _is_prelude(event: _Event) -> bool:
    if event.type is not None:
        return event.type in _PRELUDES
    return event.choices is None or all(map(_says_nothing, event.choices))


def _says_nothing(choice: _Choice) -> bool:
    delta = choice.delta or _Delta()
    said = (delta.content, delta.tool_calls, delta.reasoning_content, delta.reasoning, delta.refusal)
    return not (any(said) or choice.finish_reason or choice.text)
