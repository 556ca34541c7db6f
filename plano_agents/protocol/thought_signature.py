"""Gemini's thought signatures on wires that have no place for them: sealed into the id of the call that they sign.

Gemini 3 wants the signature of a call back with it (``extra_content.google.thought_signature``). Clients of messages
and responses send no such field back, but every one sends a call's id back as it came, with its result too. So there
the signature stands in the id, after `SEAL`, in base64url without padding; the id's own characters come first. The
request's reader takes it out again, and providers other than Google's never see it.
"""

import base64
import binascii
import re
import string

import msgspec
from msgspec import UNSET, Struct, UnsetType

from plano_agents.protocol.decoding import BAD_JSON

SEAL = "__thought_"
"""What stands between an id and the signature."""

SKIP = "skip_thought_signature_validator"
"""What Google takes in place of a signature for calls that Gemini did not make (Gemini API, "Thought signatures")."""

_ID = re.compile(rb'"(?:id|call_id|tool_use_id)"\s*+:\s*+"([^"\\]*+)(?=")')
_WORD = (string.ascii_letters + string.digits + "_-").encode()
"""What an id's seal and signature are made of, and what stands before them."""


class _Google(Struct, frozen=True):
    thought_signature: str | None = None


class _ExtraContent(Struct, frozen=True):
    google: _Google | None = None


_EXTRA = msgspec.json.Decoder(_ExtraContent)


def seal_call_id(call_id: str, extra_content: msgspec.Raw | UnsetType) -> str:
    """Give a call's id with its signature, where it has one.

    Args:
        call_id: The call's own id.
        extra_content: What Gemini added to the call.
    """
    signature = _read_signature(extra_content)
    if not signature:
        return call_id
    return f"{call_id}{SEAL}{base64.urlsafe_b64encode(signature.encode()).decode().rstrip('=')}"


def unseal_call_id(sealed: str) -> tuple[str, msgspec.Raw | UnsetType]:
    """Part an id from its signature.

    Returns:
        The call's own id, and what Gemini added to the call, where a signature was there.
    """
    call_id, seal, text = sealed.rpartition(SEAL)
    if not (seal and text):
        return sealed, UNSET
    try:
        signature = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return sealed, UNSET
    return call_id, build_extra_content(signature)


def build_extra_content(signature: str) -> msgspec.Raw:
    """Write a signature as Gemini takes it."""
    return msgspec.Raw(msgspec.json.encode({"google": {"thought_signature": signature}}))


def drop_sealed(conversation: msgspec.Raw) -> msgspec.Raw:
    """Leave the signatures out of a conversation's ids, for a provider that is not Google."""
    content = bytes(conversation)
    return msgspec.Raw(_ID.sub(_drop_signature, content)) if SEAL.encode() in content else conversation


def _drop_signature(found: re.Match[bytes]) -> bytes:
    """Leave the signature out of an id; what is sealed is the first that ends with it, within its last word."""
    field, value = found[0], found[1]
    word = value[len(value.rstrip(_WORD)) :]
    own, _, signature = word.partition(SEAL.encode())
    return field[: len(field) - len(word) + len(own)] if signature else field


def _read_signature(extra_content: msgspec.Raw | UnsetType) -> str | None:
    if extra_content is UNSET:
        return None
    try:
        google = _EXTRA.decode(extra_content).google
    except BAD_JSON:
        return None
    return google.thought_signature if google is not None else None
