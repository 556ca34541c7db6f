from typing import Any

import msgspec
import pytest

from plano_agents.errors import RequestError
from plano_agents.protocol.openai_chat_request import Content
from plano_agents.protocol.translation.chat_content_to_messages import build_content


def carry(part: dict[str, Any]) -> list[dict[str, Any]]:
    content = msgspec.convert([part], Content)
    found: list[dict[str, Any]] = msgspec.to_builtins(list(build_content(content, "messages[0]")))
    return found


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://x/y.png", {"type": "url", "url": "https://x/y.png"}),
        ("data:image/png;base64,AAAA", {"type": "base64", "media_type": "image/png", "data": "AAAA"}),
    ],
)
def test_an_image_is_carried_and_never_fetched(url: str, source: dict[str, str]) -> None:
    assert carry({"type": "image_url", "image_url": {"url": url}}) == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            {"filename": "a", "file_data": "data:application/pdf;base64,AAAA"},
            {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        ),
        (
            {"filename": "a", "file_data": "data:text/plain;base64,aGk="},
            {"type": "text", "media_type": "text/plain", "data": "hi"},
        ),
        ({"filename": "a", "file_url": "https://x/y.pdf"}, {"type": "url", "url": "https://x/y.pdf"}),
    ],
)
def test_a_document_is_carried_with_its_name(file: dict[str, str], source: dict[str, str]) -> None:
    assert carry({"type": "file", "file": file}) == [{"type": "document", "source": source, "title": "a"}]


@pytest.mark.parametrize("data", ["aGk", "/w==", "!"])
def test_a_text_document_that_is_no_text_is_refused_by_place(data: str) -> None:
    with pytest.raises(RequestError) as caught:
        carry({"type": "file", "file": {"file_data": f"data:text/plain;base64,{data}"}})
    assert caught.value.param == "messages[0].content[0]"
