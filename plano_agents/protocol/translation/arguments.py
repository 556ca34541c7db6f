"""A call's arguments as the JSON object that Anthropic's wire wants.

A model may write what is not a JSON object, above all where a limit of tokens cuts it off. Such text is wrapped into an
object: the call keeps its place in the conversation, and the tool's answer tells the model.
"""

from typing import Any

import msgspec

from plano_agents.protocol.decoding import BAD_JSON

WRAPPED = "unparsed_arguments"
"""The name under which the text stands."""


def is_object(text: str) -> bool:
    """Check whether arguments are a JSON object; none are an empty one."""
    try:
        msgspec.json.decode(text.strip() or "{}", type=dict[str, msgspec.Raw])
    except BAD_JSON:
        return False
    return True


def read_input(value: msgspec.Raw) -> msgspec.Raw:
    """Read what stands where Anthropic's wire has an object: the same where it is one, a text as arguments."""
    content = bytes(value)
    if content.startswith(b"{"):
        return value
    if content.startswith(b'"'):
        return read_object(msgspec.json.decode(content, type=str))
    return read_object("" if content == b"null" else content.decode())


def read_object(text: str | dict[str, Any] | None) -> msgspec.Raw:
    """Read arguments as a JSON object, byte for byte where they are one."""
    if not isinstance(text, str):
        return msgspec.Raw(msgspec.json.encode(text or {}))
    if is_object(text):
        return msgspec.Raw((text.strip() or "{}").encode())
    return msgspec.Raw(msgspec.json.encode({WRAPPED: text}))
