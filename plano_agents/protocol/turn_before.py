"""The request of the turn before, as a request's own transcript tells it: all that stands before the last answer.

An agent sends its whole transcript with each turn, so one turn's request holds the request of the turn before: without
the model's last answer, and without what came after it. A transcript that the provider keeps (``previous_response_id``)
and a prompt that begins anew hold none.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import BAD_JSON

_CONVERSATIONS = ("messages", "input")
_CLIENTS_ITEMS = ("mcp_approval_response", "compaction", "item_reference")
"""Items of the responses API without a role that are not part of an answer; outputs of tools are none either."""
_INSTRUCTIONS = frozenset({"system", "developer"})


class _Item(Struct, frozen=True):
    """A message, or an item of the responses API, read for its maker alone."""

    role: str | None = None
    type: str | None = None


_ITEMS = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_ITEM = msgspec.json.Decoder(_Item)


def build_turn_before(fields: Mapping[str, msgspec.Raw]) -> bytes | None:
    """Build the request of the turn before.

    Args:
        fields: The request's top-level fields.

    Returns:
        A request with the same fields and the earlier transcript; None where the transcript holds no earlier turn.
    """
    name = next((each for each in _CONVERSATIONS if each in fields), None)
    if name is None:
        return None
    try:
        items = _ITEMS.decode(fields[name])
        read = [_ITEM.decode(item) for item in items]
    except BAD_JSON:
        return None
    end = _find_last_answer(read)
    if all(each.role in _INSTRUCTIONS for each in read[:end]):
        return None
    return msgspec.json.encode({**fields, name: items[:end]})


def _find_last_answer(items: Sequence[_Item]) -> int:
    """Find where the model's last answer begins that something follows; 0 where there is none."""
    at = len(items)
    while at > 0 and _is_models(items[at - 1]):
        at -= 1  # the beginning of the answer that is asked for
    while at > 0 and not _is_models(items[at - 1]):
        at -= 1
    while at > 0 and _is_models(items[at - 1]):
        at -= 1
    return at


def _is_models(item: _Item) -> bool:
    """Check whether the model made it."""
    if item.role is not None:
        return item.role == "assistant"
    kind = item.type or ""
    return not kind.endswith("_output") and kind not in _CLIENTS_ITEMS
