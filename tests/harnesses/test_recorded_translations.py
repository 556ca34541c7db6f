"""Requests that agents were seen to send, on each of the three wires: nothing is lost, and the provider takes it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.protocol.translation.translation import translate_request
from plano_agents.providers.fit import build_fittings
from plano_agents.providers.profiles import find_profile
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.openai.request import parse_openai_request
from plano_agents.simulator.wire.responses.request import parse_responses_request
from tests.harnesses.recorded import RecordedRequest, read_recorded
from tests.harnesses.test_recorded import RECORDINGS, SURFACES
from tests.harnesses.told import Told, read_told
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, build_model
from tests.providers.fit.providers import check

TARGETS = [
    (CHAT, "openai/gpt-4o"),
    (CHAT, "openai/gpt-5"),
    (RESPONSES, "openai/gpt-5.5"),
    (MESSAGES, "anthropic/claude-opus-5-5"),
    (MESSAGES, "anthropic/claude-sonnet-4-6"),
    (MESSAGES, "anthropic/claude-haiku-4-5"),
]
PARSERS: dict[Form, Callable[[bytes], object]] = {
    CHAT: parse_openai_request,
    MESSAGES: parse_anthropic_request,
    RESPONSES: parse_responses_request,
}
"""The simulated providers' own reading, as strict as theirs."""
SHAPES = [
    pytest.param(request, id=f"{recording}-{number}")
    for recording in RECORDINGS
    for number, request in enumerate(read_recorded(recording))
]


def send(request: RecordedRequest, wire: Form, target: str) -> dict[str, Any]:
    """Write a request for a target, whose wire is chosen here."""
    surface, model = SURFACES[request.path], build_model(target)
    fitting = build_fittings(model, [wire], find_profile(model, {}), is_own_host=True)[wire]
    body = json.dumps(request.body).encode()
    if surface is not wire:
        body = translate_request(surface, wire, body, model.model_id, created=7).request_body
    found: dict[str, Any] = json.loads(fitting.fit(split_fields(body), is_translated=surface is not wire).body)
    return found


def compare(given: Told, found: Told) -> None:
    """Compare what a client told with what goes up; words may be added."""
    whole = "\n\n".join(found.texts)
    assert [text for text in given.texts if text not in whole] == []
    assert found.images == given.images
    assert found.calls == given.calls
    assert [number for number, _ in found.answers] == [number for number, _ in given.answers]
    for (_, text), (_, said) in zip(given.answers, found.answers, strict=True):
        assert all(line in said for line in text.split("\n"))
    assert found.tools == given.tools


@pytest.mark.parametrize(("wire", "target"), TARGETS)
@pytest.mark.parametrize("request_", SHAPES)
def test_what_an_agent_sends_reaches_every_wire(request_: RecordedRequest, wire: Form, target: str) -> None:
    try:
        found = send(request_, wire, target)
    except UnsupportedFieldError as error:
        assert error.param == "tools[0].type", "a search of the web alone is for another model"  # noqa: PT017
        return
    compare(read_told(SURFACES[request_.path], request_.body), read_told(wire, found))
    check(target, found)
    PARSERS[wire](json.dumps(found).encode())
