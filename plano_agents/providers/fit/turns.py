"""Turns of Anthropic's wire: their text, their order, the first and the last, and images by the type that they are."""

import base64
import binascii
import re
from collections.abc import Callable

from plano_agents.protocol.adjustment import Adjustment, rewritten
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.arguments import read_input
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.rules import Rules
from plano_agents.providers.fit.system_turns import place_system_turns

Edit = Callable[[Pieces], Pieces]
"""Changes a block; gives the same one where nothing is to change."""

FIRST_TURN = "(The assistant speaks first.)"
"""What the user says where the conversation begins with the assistant."""

LAST_TURN = "Go on."
"""What the user says where the conversation ends with the assistant, and the model takes no prefill."""

MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
"""How files of each type begin; WebP is RIFF with WEBP at its ninth byte."""

OTHER_NAMES = {
    "image/jpg": "image/jpeg",
    "image/jfif": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
}
"""Media types as they are miscalled."""

BLANK = re.compile(rb't"\s*+:\s*+"(?=[\s\\"\xc2\xe1-\xe3])[\s\\bfnrtu0-9a-fA-F\x80-\xaf\xc2\xe1-\xe3]*+"')
"""Finds text that may be blank, of Unicode's spaces too, as they are or escaped; some that it finds is not."""
NO_OBJECT = re.compile(rb'"input"\s*+:\s*+[^{\s]')
_ROLE = re.compile(rb'"role"\s*:\s*"(\w+)"')
_HEAD_CHARACTERS = 24
"""How much of an image's base64 is read; it tells its type."""


def fit_turns(document: Document, rules: Rules) -> None:
    """Bring the turns into the form that Anthropic takes."""
    if rules.wire is not Form.ANTHROPIC_MESSAGES:
        return
    if not rules.dialect.blank_text:
        if _may_be_blank(document, "messages"):
            document.edit_list("messages", lambda turns: _without_blank_text(document, turns))
        if _may_be_blank(document, "system"):
            document.edit_list("system", lambda blocks: _without_blank_blocks(document, "system", blocks))
    if document.contains("messages", (b'"tool_use"',)) and NO_OBJECT.search(document.fields["messages"]):
        document.edit_list("messages", lambda turns: _edit_blocks(turns, lambda block: _fit_input(document, block)))
    if rules.dialect.media_types is not None and document.contains("messages", (b'"base64"',)):
        document.edit_list("messages", lambda turns: _edit_blocks(turns, lambda block: _fit_image(document, block)))
    place_system_turns(document, rules)
    if "assistant" in find_end_roles(bytes(document.fields.get("messages", b""))):
        document.edit_list("messages", lambda turns: _fit_ends(document, turns, rules))


def _may_be_blank(document: Document, field: str) -> bool:
    raw = document.fields.get(field)
    return raw is not None and BLANK.search(raw) is not None


def find_end_roles(content: bytes) -> set[str]:
    """Find the roles of the first and of the last turn, as far as bytes tell them."""
    places = {content.find(b'"role"'), content.rfind(b'"role"')}
    found = (_ROLE.match(content, place) for place in places if place >= 0)
    return {match[1].decode() for match in found if match is not None}


def _fit_ends(document: Document, turns: list[Pieces], rules: Rules) -> list[Pieces] | None:
    if not turns:
        return None
    fitted = list(turns)
    if rules.dialect.user_first and read_text(turns[0].get("role")) == "assistant":
        fitted.insert(0, {"role": pack("user"), "content": pack(FIRST_TURN)})
        document.tell(rewritten("messages", "a user's turn put first"))
    last = turns[-1]
    calls = b'"tool_use"' in bytes(last.get("content", b""))
    if rules.profile.prefill is False and read_text(last.get("role")) == "assistant" and not calls:
        fitted.append({"role": pack("user"), "content": pack(LAST_TURN)})
        document.tell(Adjustment("messages", "rewritten", "messages a user's turn put last", alters=True))
    return fitted if len(fitted) > len(turns) else None


def _without_blank_text(document: Document, turns: list[Pieces]) -> list[Pieces] | None:
    fitted: list[Pieces] = []
    for turn in turns:
        content = turn.get("content")
        text = read_text(content)
        if text is not None and not text.strip():
            continue
        if content is None or not is_list(content) or b'"text"' not in bytes(content):
            fitted.append(turn)
            continue
        blocks = split_list(content)
        kept = [_without_blank_result(block) for block in blocks if not _is_blank(block)]
        if len(kept) == len(blocks) and all(new is old for new, old in zip(kept, blocks, strict=True)):
            fitted.append(turn)
        elif kept:
            fitted.append({**turn, "content": pack(kept)})
    if not fitted or (len(fitted) == len(turns) and all(n is o for n, o in zip(fitted, turns, strict=True))):
        return None
    document.tell(rewritten("messages", "blank text left out"))
    return fitted


def _without_blank_result(block: Pieces) -> Pieces:
    content = block.get("content")
    if read_text(block.get("type")) != "tool_result" or content is None or not is_list(content):
        return block
    blocks = split_list(content)
    kept = [each for each in blocks if not _is_blank(each)]
    return block if len(kept) == len(blocks) else {**block, "content": pack(kept)}


def _without_blank_blocks(document: Document, field: str, blocks: list[Pieces]) -> list[Pieces] | None:
    kept = [block for block in blocks if not _is_blank(block)]
    if len(kept) == len(blocks):
        return None
    document.tell(rewritten(field, "blank text left out"))
    return kept


def _is_blank(block: Pieces) -> bool:
    if read_text(block.get("type")) != "text":
        return False
    text = read_text(block.get("text"))
    return text is not None and not text.strip()


def _edit_blocks(turns: list[Pieces], edit: Edit) -> list[Pieces] | None:
    fitted = [_edit_turn(turn, edit) for turn in turns]
    return None if all(n is o for n, o in zip(fitted, turns, strict=True)) else fitted


def _edit_turn(pieces: Pieces, edit: Edit) -> Pieces:
    """Edit the blocks of a turn, and those within its tools' results."""
    content = pieces.get("content")
    if content is None or not is_list(content):
        return pieces
    blocks = split_list(content)
    edited = [edit(_edit_turn(block, edit)) for block in blocks]
    same = all(new is old for new, old in zip(edited, blocks, strict=True))
    return pieces if same else {**pieces, "content": pack(edited)}


def _fit_input(document: Document, block: Pieces) -> Pieces:
    """Wrap a call's input that is not an object, as clients keep one that a limit of tokens cut."""
    given = block.get("input")
    if given is None or read_text(block.get("type")) != "tool_use":
        return block
    wrapped = read_input(given)
    if wrapped is given:
        return block
    document.tell(rewritten("messages", "a call's input wrapped"))
    return {**block, "input": wrapped}


def _fit_image(document: Document, block: Pieces) -> Pieces:
    if read_text(block.get("type")) != "image" or "source" not in block:
        return block
    source = split(block["source"])
    data, told = read_text(source.get("data")), read_text(source.get("media_type"))
    if data is None or told is None:
        return block
    name = told.partition(";")[0].strip().lower()
    real = find_media_type(data) or OTHER_NAMES.get(name, name)
    if real == told:
        return block
    document.tell(rewritten("messages", f"an image sent as {real}"))
    return {**block, "source": pack({**source, "media_type": real})}


def find_media_type(data: str) -> str | None:
    """Tell an image's media type by its first bytes.

    Args:
        data: Base64.

    Returns:
        One of the four that every provider takes; None for anything else.
    """
    try:
        head = base64.b64decode(data[:_HEAD_CHARACTERS])
    except (binascii.Error, ValueError):
        return None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in MAGIC if head.startswith(magic)), None)
