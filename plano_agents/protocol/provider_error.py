"""Errors as providers write them, read in every form that is known: their words are kept on any wire.

OpenAI's and Anthropic's ``error`` objects, Gemini's list of one, the bare object of Mistral and vLLM
(``object: error``), whose message may be a list of faults, FastAPI's ``detail``, and what gateways write in their place
(`_WORDS`). What is in none of these forms, as a gateway's page, is not an error that can be read.
"""

import re
from collections.abc import Mapping

import msgspec

from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.openai_chat import ErrorDetail
from plano_agents.protocol.overflow import tells_too_long

CONTEXT_CODE = "context_length_exceeded"
"""OpenAI's code for too long a request; clients act on it."""

TOO_LONG = "prompt is too long"
"""Anthropic's words for it; Claude Code compacts its conversation when it reads them."""

_WORDS = (
    *("message", "Message", "detail", "error_description", "msg", "error_msg", "errorMessage", "errors"),
    *("base_resp", "reason", "title"),
)
"""Where an error says why: OpenAI, AWS, FastAPI, OAuth, Chinese gateways, Cloudflare, MiniMax, RFC 9457."""

_ANSWERS = ("choices", "content", "output")
"""What an answer has, and no error."""

_MOST_LEVELS = 16
"""How deep a message is looked for; deeper ones would end in Python's own limit."""

_LONGEST_MESSAGE = 8_192
"""How many characters of a message are kept."""
_LONGEST_PAGE = 200
"""How many of a page's."""

_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]{0,1000}>", re.DOTALL | re.IGNORECASE)


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


def read_any_error(body: bytes, status: int) -> ErrorDetail:
    """Read an error body in any form; of a page or a text, its first words.

    Args:
        body: What the provider said.
        status: The HTTP status it said it with.
    """
    error = read_provider_error(body)
    if error is not None:
        return error
    words = " ".join(_TAG.sub(" ", body[:_LONGEST_MESSAGE].decode(errors="replace")).split())
    told = f": {words[:_LONGEST_PAGE]}" if words and not words.startswith(("{", "[", "null")) else "."
    return ErrorDetail(f"The provider answered {status} without an error in its own form{told}")


def is_too_long(error: ErrorDetail) -> bool:
    """Check whether an error says that the request is too long for the model."""
    return tells_too_long(error.message, error.type, error.code)


def _read(value: object) -> ErrorDetail | None:
    if not isinstance(value, Mapping):
        return None
    error = value.get("error")
    if error and isinstance(error, str):
        words = _read_words(value.get("error_description")) or error
        return ErrorDetail(words[:_LONGEST_MESSAGE], _word(value.get("type")) or "upstream_error")
    if error and isinstance(error, Mapping):
        return _build(error)
    if error and isinstance(error, list):
        return _build({**value, "message": error})
    if value.get("object") == "error" or value.get("type") == "error":
        return _build(value)
    is_bare = not any(value.get(name) for name in _ANSWERS) and _find_words(value)
    return _build(value) if is_bare else None


def _find_words(error: Mapping[str, object]) -> str:
    return next(filter(None, (_read_words(error.get(name)) for name in _WORDS)), "")


def _build(error: Mapping[str, object]) -> ErrorDetail:
    kind = _word(error.get("type")) or _word(error.get("status"))
    inner = _read_inner(error.get("metadata"))
    said = _find_words(error)
    return ErrorDetail(
        (f"{said}: {inner}" if inner else said)[:_LONGEST_MESSAGE],
        "upstream_error" if kind in {None, "error"} else str(kind),
        _word(error.get("param")),
        _word(error.get("code")),
    )


def _read_inner(metadata: object) -> str:
    """Read what OpenRouter says that its own provider said."""
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    if not isinstance(raw, str):
        return ""
    inner = read_provider_error(raw.encode(errors="replace"))
    return inner.message if inner is not None else raw


def _word(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _read_words(value: object, levels: int = _MOST_LEVELS) -> str:
    """Read a message: a text, or a list of faults, each with its place."""
    match value:
        case str():
            return value
        case list() if levels:
            return "; ".join(filter(None, (_read_words(each, levels - 1) for each in value)))
        case {"detail": inner} | {"error": inner} | {"status_msg": inner} if levels:
            return _read_words(inner, levels - 1)
        case {"msg": str(words), "loc": [*place]}:
            return f"{'.'.join(map(str, place))}: {words}"
        case {"msg": str(words)} | {"message": str(words)}:
            return words
        case _:
            return ""
