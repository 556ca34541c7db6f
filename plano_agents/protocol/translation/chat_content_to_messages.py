"""OpenAI chat content as Anthropic content blocks.

Images and documents keep their kind of source: bytes stay bytes, and an address is fetched by the provider, never
here. Empty text is left out, for Anthropic refuses it. Errors name the content part.
"""

import base64
import binascii
from collections.abc import Iterator

import msgspec

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai
from plano_agents.protocol.decoding import ABSENT

UNNAMED = "application/octet-stream"
"""The media type of a data URL that names none; images are told by their bytes."""

ContentBlock = anthropic.TextBlock | anthropic.ImageBlock | anthropic.DocumentBlock


def build_content(content: openai.Content, where: str, cache_control: msgspec.Raw = ABSENT) -> Iterator[ContentBlock]:
    """Carry content part by part.

    Args:
        content: The content.
        where: The message's path, for errors: ``messages[2]``.
        cache_control: The message's own mark for the cache; its last part gets it.

    Raises:
        RequestError: An image or a document is not written as it should be.
        UnsupportedFieldError: A part cannot be carried.
    """
    given = (openai.TextPart(content),) if isinstance(content, str) else content or ()
    parts = [(number, part) for number, part in enumerate(given) if not _is_empty(part)]
    for number, part in parts:
        place = f"{where}.content[{number}]"
        mark = cache_control if part is parts[-1][1] else ABSENT
        match part:
            case openai.RefusalPart(refusal=text):
                yield anthropic.TextBlock(text=text, cache_control=mark)
            case openai.TextPart(text=text):
                yield anthropic.TextBlock(text=text, cache_control=_choose(part.cache_control, mark))
            case openai.ImagePart(image_url=image):
                source = _build_image_source(image if isinstance(image, str) else image.url, place)
                yield anthropic.ImageBlock(source=source, cache_control=_choose(part.cache_control, mark))
            case openai.FilePart(file=file):
                block = _build_document(file, place)
                yield msgspec.structs.replace(block, cache_control=_choose(part.cache_control, mark))
            case _:
                raise UnsupportedFieldError(f"{place!r} is audio, which Anthropic models do not take.", param=place)


def _is_empty(part: openai.Part) -> bool:
    return not getattr(part, "text", getattr(part, "refusal", True))


def _choose(own: msgspec.Raw, given: msgspec.Raw) -> msgspec.Raw:
    return given if own == ABSENT else own


def build_text(
    content: openai.Content, where: str, cache_control: msgspec.Raw = ABSENT
) -> Iterator[anthropic.TextBlock]:
    """Carry content that may only be text.

    Raises:
        UnsupportedFieldError: It is more than text.
    """
    for block in build_content(content, where, cache_control):
        if not isinstance(block, anthropic.TextBlock):
            raise UnsupportedFieldError(
                f"{where + '.content'!r} holds more than text; Anthropic models take that in user messages only.",
                param=f"{where}.content",
            )
        yield block


def _build_image_source(url: str, where: str) -> anthropic.Base64Source | anthropic.UrlSource:
    if url.startswith("data:"):
        return _split_data_url(url, where)
    if url.startswith(("https://", "http://")):
        return anthropic.UrlSource(url)
    raise RequestError(
        f"{where!r} is neither a web address nor a base64 data URL. Write https://… or data:image/png;base64,…",
        param=where,
    )


def _build_document(file: openai.FileData, where: str) -> anthropic.DocumentBlock:
    if file.file_url is not None:
        return anthropic.DocumentBlock(source=anthropic.UrlSource(file.file_url), title=file.filename)
    if file.file_data is None:
        raise UnsupportedFieldError(
            f"{where!r} names an uploaded file, which only the provider that stores it can read; send 'file_data'.",
            param=where,
        )
    source = _split_data_url(file.file_data, where)
    if source.media_type == "text/plain":
        return anthropic.DocumentBlock(source=_read_plain_text(source.data, where), title=file.filename)
    return anthropic.DocumentBlock(source=source, title=file.filename)


def _read_plain_text(data: str, where: str) -> anthropic.PlainTextSource:
    """Unpack a text: Anthropic takes only PDF documents as base64."""
    try:
        return anthropic.PlainTextSource(base64.b64decode(data, validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"{where!r} is not UTF-8 text in base64.", param=where) from error


def _split_data_url(url: str, where: str) -> anthropic.Base64Source:
    """Take a ``data:`` URL (RFC 2397) apart."""
    head, comma, data = url.partition(",")
    media_type, _, encoding = head.removeprefix("data:").partition(";")
    if not (comma and head.startswith("data:") and encoding.endswith("base64")):
        raise RequestError(f"{where!r} is not a base64 data URL. Write data:image/png;base64,…", param=where)
    return anthropic.Base64Source(media_type or UNNAMED, data)
