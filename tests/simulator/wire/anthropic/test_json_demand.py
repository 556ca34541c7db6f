"""A system prompt may demand an answer in JSON, as routers write it for clients with a JSON mode."""

import json

import pytest

from plano_agents.protocol.translation.chat_request_to_messages import JSON_MODE
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request


@pytest.mark.parametrize(("system", "demanded"), [(JSON_MODE, True), ("You write JSON at times.", False)])
def test_a_demand_for_json_alone_is_read(system: str, *, demanded: bool) -> None:
    body = {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "system": system,
        "messages": [{"role": "user", "content": "hi"}],
    }
    request = parse_anthropic_request(json.dumps(body).encode())
    assert (request.conversation.format is not None) is demanded
