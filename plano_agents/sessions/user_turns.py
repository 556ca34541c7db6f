"""User turns of a session whose scope is ``user_turn``: recognised in the transcript, known by a keyed hash.

A request begins one where its conversation ends with a user's own message, and is a step of one where it ends with
anything else: the model's calls answered, a harness' reminders, the model's own words. A user turn is named by the
number of users' messages, the last of them, and the response that it goes on from, hashed with the store's salt: so
the same turn sent again, or to another replica, is the same, and the same words said again later are another. A
transcript that was edited, or compacted before a user's message, has another user turn at its end.
"""

from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.protocol.user_turns import ends_with_user, read_user_turns
from plano_agents.sessions.implicit import hash_parts, leave_out_harness

_HASH_BYTES = 8
"""64 bits: a session's user turns are distinguished, not those of all sessions."""


def name_user_turn(head: ChatHead, tenant: str, salt: bytes, *, after: str | None = None) -> str | None:
    """Name the user turn that a request begins.

    Args:
        head: The request.
        tenant: The tenant header's value; empty where tenants are not separated.
        salt: The store's; 64 bytes at most.
        after: The response that it goes on from by its id alone; None where the transcript is whole.

    Returns:
        16 hexadecimal digits; None for a step of a tool loop, or whatever else is not a user's.
    """
    if not ends_with_user(head.messages):
        return None
    said = leave_out_harness(read_user_turns(head.messages, wordless=True))
    return hash_parts(["user turn", tenant, str(len(said)), *said[-1:], after or ""], salt, _HASH_BYTES)
