"""OpenAI chat content as Anthropic content blocks.

Images and documents keep their kind of source: bytes stay bytes, and an address is fetched by the provider, never
here. Empty text is left out, for Anthropic refuses it. Errors name the content part.
"""

import base64
import binascii
from collections.abc import Iterator

from plano_agents.errors import RequestError, UnsupportedFieldError
from plano_agents.protocol import anthropic_request as anthropic
from plano_agents.protocol import openai_chat_request as openai

ContentBlock = anthropic.TextBlock | anthropic.ImageBlock | anthropic.DocumentBlock


def build_content(content: openai.Content, where: str) -> Iterator[ContentBlock]:
    """Carry content part by part.

    Args:
        content: The content.
        where: The message's path, for errors: ``messages[2]``.

    Raises:
        RequestError: An image or a document is not written as it should be.
        UnsupportedFieldError: A part cannot be carried.
    """
    parts = (openai.TextPart(content),) if isinstance(content, str) else content or ()
    for number, part in enumerate(parts):
        place = f"{where}.content[{number}]"
        match part:
            case openai.TextPart(text=text) | openai.RefusalPart(refusal=text):
                if text:
                    yield anthropic.TextBlock(text=text)
            case openai.ImagePart(image_url=image):
                yield anthropic.ImageBlock(source=_build_image_source(image.url, place))
            case openai.FilePart(file=file):
                yield _build_document(file, place)
            case _:
                raise UnsupportedFieldError(
                    f"{place!r} is audio, which Anthropic models do not take.", param=place
                )


def build_text(content: openai.Content, where: str) -> Iterator[anthropic.TextBlock]:
    """Carry content that may only be text.

    Raises:
        UnsupportedFieldError: It is more than text.
    """
    for block in build_content(content, where):
        if not isinstance(block, anthropic.TextBlock):
            raise UnsupportedFieldError(
                f"{where + '.content'!r} holds more than text, which an Anthropic model takes from users only.",
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
            f"{where!r} names an uploaded file, which only its own provider can read; send 'file_data'.",
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
        raise RequestError(f"{where!r} is no base64 of UTF-8 text.", param=where) from error


def _split_data_url(url: str, where: str) -> anthropic.Base64Source:
    """Take a ``data:`` URL (RFC 2397) apart."""
    head, comma, data = url.partition(",")
    media_type, _, encoding = head.removeprefix("data:").partition(";")
    if not (comma and head.startswith("data:") and media_type and encoding.endswith("base64")):
        raise RequestError(f"{where!r} is not a base64 data URL. Write data:image/png;base64,…", param=where)
    return anthropic.Base64Source(media_type, data)
