"""Errors as providers write them, read in every form that is known: their words are kept on any wire.

OpenAI's and Anthropic's ``error`` objects, Gemini's list of one, the bare object of Mistral and vLLM
(``object: error``), whose message may be a list of faults, and FastAPI's ``detail``. What is in none of these forms, as
a gateway's page, is no error that can be read.
"""

from collections.abc import Mapping

import msgspec

from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.overflow import tells_too_long

CONTEXT_CODE = "context_length_exceeded"
"""OpenAI's code for too long a request; clients act on it."""

TOO_LONG = "prompt is too long"
"""Anthropic's words for it; Claude Code compacts its conversation when it reads them."""

_LONGEST_MESSAGE = 8_192
"""How many characters of a message are kept."""


def read_provider_error(body: bytes) -> ErrorDetail | None:
    """Read an error body, or an event that is one.

    Args:
        body: What the provider said.

    Returns:
        The error; None where it is in no form that is known.
    """
    try:
        value: object = msgspec.json.decode(body)
    except BAD_JSON:
        return None
    return _read(value[0] if isinstance(value, list) and value else value)


def is_too_long(error: ErrorDetail) -> bool:
    """Whether an error says that the request is too long for the model."""
    return tells_too_long(error.message, error.type, error.code)


def _read(value: object) -> ErrorDetail | None:
    if not isinstance(value, Mapping):
        return None
    error = value.get("error")
    if isinstance(error, str):
        return ErrorDetail(error[:_LONGEST_MESSAGE], _word(value.get("type")) or "upstream_error")
    if isinstance(error, Mapping):
        return _build(error)
    is_bare = value.get("object") == "error" or value.get("type") == "error"
    if is_bare or ("message" in value and "choices" not in value and "content" not in value):
        return _build(value)
    return _build({"message": value["detail"]}) if "detail" in value else None


def _build(error: Mapping[str, object]) -> ErrorDetail:
    kind = _word(error.get("type")) or _word(error.get("status"))
    return ErrorDetail(
        _read_words(error.get("message") or error.get("detail"))[:_LONGEST_MESSAGE],
        "upstream_error" if kind in {None, "error"} else str(kind),
        _word(error.get("param")),
        _word(error.get("code")),
    )


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _read_words(value: object) -> str:
    """Read a message: a text, or a list of faults, each with its place."""
    match value:
        case str():
            return value
        case list():
            return "; ".join(filter(None, map(_read_words, value)))
        case {"detail": detail}:
            return _read_words(detail)
        case {"msg": str(words), "loc": [*place]}:
            return f"{'.'.join(map(str, place))}: {words}"
        case {"msg": str(words)} | {"message": str(words)}:
            return words
        case _:
            return ""
