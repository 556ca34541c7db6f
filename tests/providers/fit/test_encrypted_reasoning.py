"""Reasoning that a provider encrypts on OpenAI's responses wire goes back to that provider alone."""

import json
from typing import Any

import pytest

from plano_agents.protocol import sse
from tests.providers.fit.conftest import RESPONSES, fit
from tests.providers.fit.test_rows import USER

ANSWER = {
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    ]
}
SERVERS = ["openai/gpt-5", "xai/grok-4.5", "vercel/openai/gpt-5"]


def answer(server: str, *, streams: bool) -> list[dict[str, Any]]:
    """Give the items that a client of a server sees."""
    fitted = fit(RESPONSES, server, {"input": [USER]})
    body = json.dumps(ANSWER).encode()
    if streams:
        seen = fitted.restore(sse.encode_event(body)) if fitted.is_restored else sse.encode_event(body)
        return list(json.loads(seen.removeprefix(b"data: "))["output"])
    return list(json.loads(fitted.restore_whole(body) if fitted.is_restored else body)["output"])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("second", SERVERS)
@pytest.mark.parametrize("first", SERVERS)
def test_it_goes_back_to_who_encrypted_it(first: str, second: str, *, streams: bool) -> None:
    result = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
    fitted = fit(RESPONSES, second, {"input": [USER, *answer(first, streams=streams), result]})
    sent = json.loads(fitted.body)["input"]
    assert [item.get("encrypted_content") for item in sent if item.get("type") == "reasoning"] == (
        ["gAAA"] if first == second else []
    )
    assert [item["call_id"] for item in sent if "call_id" in item] == ["call_1", "call_1"]


def test_what_is_left_out_is_told() -> None:
    fitted = fit(RESPONSES, "openai/gpt-5", {"input": [USER, *answer("xai/grok-4.5", streams=False)]})
    assert [each.text for each in fitted.adjustments] == ["input reasoning that another provider encrypted left out"]
