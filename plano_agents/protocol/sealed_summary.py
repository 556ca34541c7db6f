"""Summaries of conversations in compaction items that the router made: sealed for the client, and read again.

OpenAI's compaction items are opaque, and only OpenAI reads them. Where another model sums a conversation up, its text
travels in an item of the same kind: `SEAL` and the text's base64, which the client sends back as it came. On every
wire it is said by the user, where the item stands.
"""

import base64
import binascii

SEAL = "plano.v1.summary."
"""What ``encrypted_content`` of a compaction item begins with where it is ours."""

_INTRODUCTION = "This is a summary of our conversation so far. Go on from where it ends.\n\n"


def seal_summary(text: str) -> str:
    """Put a summary into a compaction item's ``encrypted_content``."""
    return SEAL + base64.b64encode(text.encode(errors="replace")).decode()


def unseal_summary(content: str | None) -> str | None:
    """Read what the user says in place of a compaction item; None where the content is not ours.

    Args:
        content: The item's ``encrypted_content``.
    """
    if content is None or not content.startswith(SEAL):
        return None
    try:
        text = base64.b64decode(content.removeprefix(SEAL), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return _INTRODUCTION + text
