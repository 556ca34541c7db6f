"""System turns of Anthropic's wire where the model takes them; else they are the user's, marked as no user's words.

A model that takes them wants them after the user's turn, and before the assistant's or at the end (platform.claude.com,
mid-conversation system messages; docs.aws.amazon.com, Converse).
"""

from collections.abc import Iterator

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
    """Whether all system turns stand where a model that takes them wants them."""
    return all(not _is_system(turn) or _is_in_place(turns[:at], turns[at:]) for at, turn in enumerate(turns))


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
    for at, turn in enumerate(turns):
        if not _is_system(turn) or (keeps and _is_in_place(fitted, turns[at:])):
            fitted.append(turn)
            continue
        document.tell(*(dropped_within("messages", name) for name in _OF_SYSTEM_TURNS if name in turn))
        if bytes(turn.get("content", b"")) in _NOTHING:
            continue
        document.tell(rewritten("messages", "later system messages sent as the user's"))
        fitted.append(as_reminder({name: raw for name, raw in turn.items() if name not in _OF_SYSTEM_TURNS}))
    return list(_join_users(fitted))


def _is_in_place(before: list[Pieces], rest: list[Pieces]) -> bool:
    """Whether the first of the rest may stand there: after the user's turn, before the assistant's or at the end."""
    follows = bool(before) and read_text(before[-1].get("role")) in {"user", "system"}
    roles = (read_text(turn.get("role")) for turn in rest)
    return follows and next((role for role in roles if role != "system"), "assistant") == "assistant"


def _join_users(turns: list[Pieces]) -> Iterator[Pieces]:
    """Join neighbouring turns of the user, tools' results first: they must follow their calls."""
    waiting: Pieces | None = None
    for turn in turns:
        if read_text(turn.get("role")) != "user":
            if waiting is not None:
                yield waiting
            waiting = None
            yield turn
        elif waiting is None:
            waiting = turn
        else:
            blocks = [*_blocks(waiting), *_blocks(turn)]
            blocks.sort(key=lambda block: read_text(block.get("type")) != "tool_result")
            waiting = {**turn, "content": pack(blocks)}
    if waiting is not None:
        yield waiting


def _blocks(turn: Pieces) -> list[Pieces]:
    content = turn.get("content")
    text = read_text(content)
    if text is not None:
        return [{"type": pack("text"), "text": pack(text)}]
    return split_list(content) if content is not None else []
