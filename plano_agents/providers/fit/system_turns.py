"""System turns of Anthropic's wire where the model takes them; else they are the user's, marked as no user's words.

A model that takes them wants them after the user's turn, and before the assistant's or at the end (platform.claude.com,
mid-conversation system messages; docs.aws.amazon.com, Converse).
"""

from collections.abc import Iterator
from itertools import groupby

from plano_agents.protocol.adjustment import dropped_within, rewritten
from plano_agents.providers.fit.document import Document, Pieces, pack, read_text, split_list
from plano_agents.providers.fit.reminders import as_reminder
from plano_agents.providers.fit.rules import Rules

_OF_SYSTEM_TURNS = ("clear_at", "output_config")
"""Fields that no other turn has."""
_NOTHING = (b"", b"[]", b'""', b"null")
_UNTIL_NEXT = "next_user_message"


def place_system_turns(document: Document, rules: Rules) -> None:
    """Keep system turns where the model takes them; say the others as the user's, in their place."""
    profile = rules.profile
    is_known = document.is_translated or profile.thinking is not None
    if not is_known or not document.contains("messages", (b'"system"',)):
        return
    if profile.turn_efforts is not True and document.contains("messages", (b'"clear_at"',)):
        document.edit_list("messages", lambda turns: _clear(document, turns))
    document.edit_list("messages", lambda turns: _place(document, turns, keeps=profile.system_turns is True))


def are_in_place(turns: list[Pieces]) -> bool:
    """Check whether all system turns stand where a model that takes them wants them."""
    before = [None, *turns]
    return all(
        not _is_system(turn) or (ends and _follows_user(before[at]))
        for at, (turn, ends) in enumerate(zip(turns, _find_ends(turns), strict=True))
    )


def _is_system(turn: Pieces) -> bool:
    return read_text(turn.get("role")) == "system"


def _clear(document: Document, turns: list[Pieces]) -> list[Pieces]:
    """Leave out the turns that are to be cleared by now, as the provider itself would."""
    last = max((at for at, turn in enumerate(turns) if read_text(turn.get("role")) == "user"), default=0)
    document.tell(rewritten("messages", "system turns cleared"))
    return [
        {name: raw for name, raw in turn.items() if name != "clear_at"} if _is_system(turn) else turn
        for at, turn in enumerate(turns)
        if at > last or not _is_system(turn) or read_text(turn.get("clear_at")) != _UNTIL_NEXT
    ]


def _place(document: Document, turns: list[Pieces], *, keeps: bool) -> list[Pieces] | None:
    if not any(map(_is_system, turns)):
        return None
    fitted: list[Pieces] = []
    for turn, ends in zip(turns, _find_ends(turns), strict=True):
        if not _is_system(turn) or (keeps and ends and _follows_user(fitted[-1] if fitted else None)):
            fitted.append(turn)
            continue
        document.tell(*(dropped_within("messages", name) for name in _OF_SYSTEM_TURNS if name in turn))
        if bytes(turn.get("content", b"")) in _NOTHING:
            continue
        document.tell(rewritten("messages", "later system messages sent as the user's"))
        fitted.append(as_reminder({name: raw for name, raw in turn.items() if name not in _OF_SYSTEM_TURNS}))
    return list(_join_users(fitted))


def _follows_user(before: Pieces | None) -> bool:
    """Check whether a system turn may stand after a turn, the one before it: the user's, or another of the system."""
    return before is not None and read_text(before.get("role")) in {"user", "system"}


def _find_ends(turns: list[Pieces]) -> list[bool]:
    """Find after which turns the assistant's, or none, comes next, the system's left out."""
    found: list[bool] = []
    ends = True
    for turn in reversed(turns):
        found.append(ends)
        if not _is_system(turn):
            ends = read_text(turn.get("role")) == "assistant"
    return found[::-1]


def _join_users(turns: list[Pieces]) -> Iterator[Pieces]:
    """Join neighbouring turns of the user, tools' results first: they must follow their calls."""
    for is_users, neighbours in groupby(turns, _is_users):
        joined = list(neighbours)
        if is_users and len(joined) > 1:
            blocks = [block for turn in joined for block in _blocks(turn)]
            blocks.sort(key=lambda block: read_text(block.get("type")) != "tool_result")
            yield {**joined[-1], "content": pack(blocks)}
        else:
            yield from joined


def _is_users(turn: Pieces) -> bool:
    return read_text(turn.get("role")) == "user"


def _blocks(turn: Pieces) -> list[Pieces]:
    content = turn.get("content")
    text = read_text(content)
    if text is not None:
        return [{"type": pack("text"), "text": pack(text)}]
    return split_list(content) if content is not None else []
