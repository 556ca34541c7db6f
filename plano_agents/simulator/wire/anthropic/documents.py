"""Documents: what the provider takes, and what each adds to the prompt. PDFs are counted by their pages, not read."""

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Field, JsonValue

from plano_agents.simulator.conversation import PAGE_PLACEHOLDER
from plano_agents.simulator.pdf import count_pages
from plano_agents.simulator.prompt_cache import HOUR_SECONDS, TTL_SECONDS
from plano_agents.simulator.wire.anthropic.refusals import refuse
from plano_agents.simulator.wire.reading import Strict


class PdfSource(Strict):
    """A PDF."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: str


class TextSource(Strict):
    """A plain text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class SourcePart(Strict):
    """A piece of text inside a source."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["text", "image"]
    text: str = ""


class ContentSource(Strict):
    """Blocks of text and images; the images are not counted."""

    type: Literal["content"]
    content: str | list[SourcePart]


Source: TypeAlias = Annotated[PdfSource | TextSource | ContentSource, Field(discriminator="type")]


class CacheControl(Strict):
    """The mark of a prefix that is to be cached."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"
    scope: Literal["global"] | None = None
    """Of the beta ``prompt-caching-scope-2026-01-05``, which Claude Code uses."""

    @property
    def ttl_seconds(self) -> float:
        """The time to live of what it marks, after its last use, in seconds."""
        return HOUR_SECONDS if self.ttl == "1h" else TTL_SECONDS


class Document(Strict):
    """A document."""

    type: Literal["document"]
    source: Source
    title: str | None = None
    context: str | None = None
    citations: dict[str, JsonValue] | None = None
    cache_control: CacheControl | None = None


def read_document(document: Document, path: str) -> str:
    """The text that a document adds to the prompt.

    Args:
        document: The block.
        path: Where it stands, e.g. ``messages.0.content.1``.

    Raises:
        Refusal: It is not a PDF, though it says so.
    """
    source = document.source
    if isinstance(source, TextSource):
        text = source.data
    elif isinstance(source, ContentSource):
        parts = source.content
        text = parts if isinstance(parts, str) else "\n".join(part.text for part in parts)
    else:
        pages = count_pages(source.data)
        if pages is None:
            raise refuse(f"{path}.pdf.source.base64.data: The PDF specified was not valid.")
        text = PAGE_PLACEHOLDER * pages
    return "\n".join(part for part in (document.title, document.context, text) if part)
