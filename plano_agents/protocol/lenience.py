"""Lenience with upstreams' answers: null is absent, a list is its text.

What does not decode into its form's types is put right as far as it can be, and decoded once more; an answer in its
own form is never looked at twice.
"""

from collections.abc import Callable

import msgspec

Mend = Callable[[object], object]
"""Puts a JSON value right."""

_UNTOUCHED = frozenset({"input"})
"""Fields whose value is a tool's own: null may mean something there."""

_TEXT_FIELDS = ("text", "thinking", "reasoning", "summary", "content")
"""Where the text of a piece stands."""

_NUMBERS = frozenset({"created", "index"})
"""Fields, besides counts of tokens, whose value is a whole number."""

_THINKING = frozenset({"thinking", "reasoning", "reasoning_content"})
"""The types and fields of what a model thinks, as Mistral and others name them."""


def mend_json(body: bytes, mend: Mend) -> bytes:
    """Put JSON right.

    Args:
        body: The JSON.
        mend: What puts its value right.

    Raises:
        msgspec.MsgspecError: It is not JSON.
    """
    return msgspec.json.encode(mend(msgspec.json.decode(body)))


def leave_out_nulls(value: object) -> object:
    """Leave every null out, but for those in a tool's input."""
    if isinstance(value, list):
        return [leave_out_nulls(item) for item in value if item is not None]
    if not isinstance(value, dict):
        return value
    return {
        name: item if name in _UNTOUCHED else leave_out_nulls(item) for name, item in value.items() if item is not None
    }


def mend_message(value: object) -> object:
    """Put an Anthropic message, or an event of one, right: without nulls, counts as numbers, a text as a block."""
    mended = _count(leave_out_nulls(value))
    if isinstance(mended, dict) and isinstance(mended.get("content"), str):
        mended["content"] = [{"type": "text", "text": mended["content"]}]
    return mended


def _count(value: object) -> object:
    if isinstance(value, list):
        return [_count(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _read_number(item)
        if name.endswith("_tokens") and isinstance(item, float | str)
        else item
        if name in _UNTOUCHED
        else _count(item)
        for name, item in value.items()
    }


def mend_chat(value: object) -> object:
    """Put a chat completion, or a chunk, right: without nulls, each list of pieces its text, arguments as JSON text."""
    return _flatten(leave_out_nulls(value))


def _flatten(value: object) -> object:
    if isinstance(value, list):
        return [_flatten(item) for item in value]
    if not isinstance(value, dict):
        return value
    flat = {name: _flatten_field(name, item) for name, item in value.items()}
    content = value.get("content")
    if isinstance(content, list):
        thought = "".join(read_text(piece) for piece in content if _is_thinking(piece))
        if thought:
            flat.setdefault("reasoning_content", thought)
    return flat


def _flatten_field(name: str, value: object) -> object:
    if name == "content" and isinstance(value, list | dict):
        pieces = value if isinstance(value, list) else [value]
        return "".join(read_text(piece) for piece in pieces if not _is_thinking(piece))
    if name in _THINKING and isinstance(value, list | dict):
        return read_text(value)
    if name == "arguments" and isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    if name == "id" and isinstance(value, int):
        return str(value)
    if (name in _NUMBERS or name.endswith("_tokens")) and isinstance(value, float | str):
        return _read_number(value)
    return _flatten(value)


def _read_number(value: float | str) -> int:
    """Read a whole number; 0 where it is none, such as a date."""
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return 0


def read_text(value: object) -> str:
    """Read the text of a piece, or of a list of them; empty where it has none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(read_text, value))
    if isinstance(value, dict):
        return next((text for name in _TEXT_FIELDS if (text := read_text(value.get(name)))), "")
    return ""


def _is_thinking(piece: object) -> bool:
    return isinstance(piece, dict) and piece.get("type") in _THINKING
