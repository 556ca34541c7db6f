"""The content of a messages request's turns as the hub's: parts, tools' results, documents.

- Plain-text documents and what a client's search found become text, with their titles.
- A result's reference to a deferred tool becomes words: the tool is offered from there on (`messages_tools_to_chat`).
  So do a system turn's changes of tools.
- Citations are not asked for: other models have none.
"""

from collections.abc import Iterator
from typing import NoReturn

import msgspec

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.adjustment import Tell, dropped_within
from plano_agents.protocol.anthropic_server_blocks import ServerBlock
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.thought_signature import unseal_call_id
from plano_agents.protocol.tool_changes import ToolAddition, ToolChange, ToolRemoval, say_changes

Block = anthropic.Block | ServerBlock | anthropic.ResultPart | ToolChange


class _Citations(msgspec.Struct):
    """True if citations are asked for."""

    enabled: bool | None = True


def refuse_block(where: str) -> NoReturn:
    """Refuse a block that has no place in its turn.

    Raises:
        UnsupportedFieldError: Always; ``param`` is the block's path.
    """
    raise UnsupportedFieldError(f"{where!r} cannot stand in a turn of this role.", param=where)


def read_instructions(content: tuple[Block, ...], where: str, tell: Tell) -> Iterator[str]:
    """Read the texts of a system turn, which may hold text and changes of tools alone.

    Raises:
        UnsupportedFieldError: It holds something else.
    """
    for number, block in enumerate(content):
        match block:
            case anthropic.TextBlock(text=text):
                yield text
            case ToolAddition() | ToolRemoval():
                said = say_changes([block])
                if said:
                    yield said
                else:
                    tell(dropped_within("messages", block.tool.type, alters=True))
            case _:
                refuse_block(f"{where}.content[{number}]")


def read_result(block: anthropic.ToolResultBlock, where: str, tell: Tell) -> openai.ToolMessage:
    """Read a tool's result."""
    if isinstance(block.content, str):
        return openai.ToolMessage(unseal_call_id(block.tool_use_id or "")[0], block.content, block.is_error)
    parts = tuple(
        part
        for number, piece in enumerate(block.content)
        for part in read_part(piece, f"{where}.content[{number}]", tell)
    )
    return openai.ToolMessage(unseal_call_id(block.tool_use_id or "")[0], simplify(parts), block.is_error)


def simplify(parts: tuple[openai.Part, ...]) -> str | tuple[openai.Part, ...]:
    """Write one text as a string, which every provider takes."""
    match parts:
        case ():
            return ""
        case (openai.TextPart(text=text),):
            return text
        case _:
            return parts


def read_part(block: Block, where: str, tell: Tell) -> Iterator[openai.Part]:
    """Read a part of the user's, or of a result.

    Raises:
        UnsupportedFieldError: It is of another kind.
    """
    match block:
        case anthropic.TextBlock(text=text):
            yield openai.TextPart(text)
        case anthropic.ImageBlock(source=source):
            yield openai.ImagePart(openai.ImageUrl(_write_source(source)))
        case anthropic.DocumentBlock(source=source, title=title):
            _tell_citations(block.citations, tell)
            if block.context:
                yield openai.TextPart(block.context)
            yield from _read_document(source, title, where, tell)
        case anthropic.SearchResultBlock(source=address, title=title, content=blocks):
            _tell_citations(block.citations, tell)
            yield openai.TextPart("\n\n".join((title, address, *(text.text for text in blocks))))
        case anthropic.ToolReferenceBlock(tool_name=name):
            yield openai.TextPart(f"The tool {name} can be called now.")
        case _:
            refuse_block(where)


def _tell_citations(citations: msgspec.Raw, tell: Tell) -> None:
    try:
        asked = msgspec.json.decode(citations, type=_Citations | None, strict=False)
    except BAD_JSON:
        asked = _Citations()
    if asked is not None and asked.enabled:
        tell(dropped_within("messages", "citations", alters=True))


def _read_document(
    source: anthropic.Base64Source | anthropic.UrlSource | anthropic.PlainTextSource | anthropic.ContentSource,
    title: str | None,
    where: str,
    tell: Tell,
) -> Iterator[openai.Part]:
    match source:
        case anthropic.UrlSource(url=url):
            yield openai.FilePart(openai.FileData(filename=title, file_url=url))
        case anthropic.Base64Source():
            name = title or "document.pdf"
            yield openai.FilePart(openai.FileData(filename=name, file_data=_write_source(source)))
        case anthropic.PlainTextSource(data=text) | anthropic.ContentSource(content=str(text)):
            yield openai.TextPart(f"{title}\n\n{text}" if title else text)
        case anthropic.ContentSource(content=blocks):
            if title:
                yield openai.TextPart(title)
            for block in blocks:
                assert not isinstance(block, str)  # noqa: S101 - the case above took it
                yield from read_part(block, where, tell)


def _write_source(source: anthropic.Base64Source | anthropic.UrlSource) -> str:
    """Write bytes as a ``data:`` URL; an address stays one, for whom it may concern to fetch."""
    if isinstance(source, anthropic.UrlSource):
        return source.url
    return f"data:{source.media_type};base64,{source.data}"
