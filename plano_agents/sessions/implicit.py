"""Sessions of requests that bring no affinity id: recognised by how their conversation begins.

================================  =====================================================================
configured                        what makes a request one of a session's
================================  =====================================================================
``prompt_caching`` with           tenant, system prompt and the first user message: all turns of
``session_affinity``              a conversation are one session
``routing.route_on_user_only``    the same and the latest user message: a user's turn is a session of its
(whatever the other says)         own, so it is routed, and the tool loop that follows keeps its model
================================  =====================================================================

The id is a keyed hash (BLAKE2b, keyed with the store's salt), so that neither a log nor an answer tells a prompt; it
begins with `IMPLICIT`, whose last character no client's id can hold. Tools do not count, for agents load some in the
middle of a run; nor do the fixed messages that a harness puts before its user's first word. A conversation that was
compacted, or whose system prompt carries the time of day, begins differently and is another session: an explicit id has
no such limits.
"""

import hashlib
import re
from collections.abc import Iterable
from itertools import takewhile

import msgspec

from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.protocol.user_turns import read_text, read_user_turns
from plano_agents.sessions.pin import IMPLICIT

_ID_BYTES = 16
_BILLING = re.compile(rb'"x-anthropic-billing-header:[^"\\]*"')

_AFTER_EXAMPLES = "I switched to a new code base. Please don't consider the above files"
"""How Aider ends the example conversation that it puts before its user's."""

_FILES = (
    "I have *added these files to the chat*",
    "I am not sharing any files that you can edit yet.",
    "Don't try and edit any existing code without asking me to add the files to the chat!",
    "Here are summaries of some files present in my git repository.",
    "Here are some READ ONLY files, provided for your reference.",
)
"""How the messages begin in which Aider shows files under the user's role (Aider-AI/aider, ``base_prompts.py``)."""


def derive_implicit_id(head: ChatHead, tenant: str, salt: bytes, *, per_user_turn: bool) -> str | None:
    """Recognise a request's session.

    Args:
        head: The request.
        tenant: The tenant header's value; empty where tenants are not separated.
        salt: The store's; 64 bytes at most.
        per_user_turn: Whether each user's turn is a session of its own.

    Returns:
        `IMPLICIT` and 32 hexadecimal digits; None where no user has said anything.
    """
    said = leave_out_harness(read_user_turns(head.messages))
    if not said:
        return None
    prompts = takewhile(lambda message: message.role not in {"user", "assistant"}, head.messages)
    parts: list[str | bytes] = [
        tenant,
        _leave_out_billing(_bytes(head.system)),
        *(read_text(each.content) for each in prompts),
        said[0],
    ]
    if per_user_turn:
        parts += [str(len(said)), said[-1]]
    return IMPLICIT + hash_parts(parts, salt)


def leave_out_harness(said: list[str]) -> list[str]:
    """Leave out what a harness says under the user's role, the same in every conversation or as files change."""
    after = next((number for number, text in enumerate(said, 1) if text.startswith(_AFTER_EXAMPLES)), 0)
    return [text for text in said[after:] if not text.startswith(_FILES)]


def _leave_out_billing(system: bytes) -> bytes:
    """Leave out the block that Claude Code puts before its system prompt, whose checksum may change each turn."""
    return _BILLING.sub(b"", system)


def _bytes(value: msgspec.Raw | msgspec.UnsetType) -> bytes:
    return bytes(value) if isinstance(value, msgspec.Raw) else b""


def hash_parts(parts: Iterable[str | bytes], salt: bytes, size: int = _ID_BYTES) -> str:
    """Hash parts so that no two lists of them are hashed alike by where one part ends.

    Args:
        parts: In their order.
        salt: The store's; 64 bytes at most.
        size: How many bytes of a hash.

    Returns:
        Hexadecimal digits.
    """
    digest = hashlib.blake2b(key=salt, digest_size=size)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
