"""Requests whose ``type`` is not text, as only a client in error, or an attacker, writes it: they are passed on."""

from typing import Any

import pytest

from tests.providers.fit.conftest import MESSAGES, fit

ODD: list[object] = [{}, [], 5]
TURN = {"max_tokens": 9000, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["claude-sonnet-4-6", "claude-opus-4-1", "claude-3-5-haiku-latest", "claude-opus-4-7"])
def test_a_type_that_is_no_text_fails_nothing(name: str, odd: object) -> None:
    body: dict[str, Any] = {
        **TURN,
        "model": name,
        "thinking": {"type": odd},
        "tools": [{"type": odd, "name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": odd},
        "output_config": {"effort": "high"},
    }
    assert fit(MESSAGES, f"anthropic/{name}", body).body
    assert fit(MESSAGES, f"anthropic/{name}", {**body, "thinking": {"type": "enabled", "budget_tokens": 2000}}).body
