import base64
import json

import pytest
from pydantic import JsonValue

from plano_agents.simulator.conversation import render_prompt
from plano_agents.simulator.tokens import count_tokens
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.exchange import Refusal

TWO_PAGES = b"%PDF-1.4\n1 0 obj<</Type /Pages>>endobj 2 0 obj<</Type/Page>>endobj 3 0 obj<</Type /Page >>endobj"


def pdf(data: bytes) -> JsonValue:
    return {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}


def count(*blocks: JsonValue) -> int:
    """The tokens of a prompt with these blocks and a question."""
    content: list[JsonValue] = [*blocks, {"type": "text", "text": "What is it about?"}]
    messages: JsonValue = [{"role": "user", "content": content}]
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    return count_tokens(render_prompt(parse_anthropic_request(json.dumps(body).encode()).conversation))


def document(source: JsonValue) -> JsonValue:
    return {
        "type": "document",
        "source": source,
        "title": "T",
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }


def test_a_text_counts_with_its_tokens() -> None:
    text: JsonValue = {"type": "text", "media_type": "text/plain", "data": "one word after another " * 100}
    assert count(document(text)) - count() == pytest.approx(400, abs=20)


def test_a_pdf_counts_by_its_pages() -> None:
    assert count(document(pdf(TWO_PAGES))) - count() == pytest.approx(3000, abs=20)


def test_blocks_inside_a_document_count() -> None:
    parts: JsonValue = [{"type": "text", "text": "one word after another " * 100}]
    assert count(document({"type": "content", "content": parts})) - count() == pytest.approx(400, abs=20)


def test_a_document_in_a_tool_result_counts() -> None:
    result: JsonValue = {"type": "tool_result", "tool_use_id": "a", "content": [document(pdf(TWO_PAGES))]}
    messages: JsonValue = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": messages}
    request = parse_anthropic_request(json.dumps(body).encode())
    assert count_tokens(render_prompt(request.conversation)) > 3000


def test_what_is_no_pdf_is_refused() -> None:
    with pytest.raises(Refusal, match=r"messages\.0\.content\.0\.pdf\.source\.base64\.data: The PDF specified"):
        count(document(pdf(b"<html>")))


@pytest.mark.parametrize(
    "source", [{"type": "url", "url": "https://example.com/a.pdf"}, {"type": "file", "file_id": "f"}]
)
def test_a_document_that_would_have_to_be_fetched_is_the_simulators_limit(source: JsonValue) -> None:
    with pytest.raises(Refusal, match="The simulated models do not fetch documents"):
        count(document(source))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"type": "container_upload", "file_id": "f"}, "The simulated models do not read such blocks"),
        ({"type": "poem"}, "Input tag 'poem'"),
    ],
)
def test_blocks_that_only_the_provider_knows_are_the_simulators_limit(block: JsonValue, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        count(block)
