"""Requests that agents were seen to send: each shows its harness, and is fitted to every kind of model."""

import json

import msgspec
import pytest

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.form import Form
from plano_agents.sessions.harnesses import recognise
from tests.harnesses.recorded import FOLDER, RecordedRequest, read_recorded
from tests.providers.fit.conftest import sent
from tests.providers.fit.providers import TARGETS, RefusedError, check

SURFACES = {
    "/v1/chat/completions": Form.OPENAI_CHAT,
    "/v1/messages": Form.ANTHROPIC_MESSAGES,
    "/v1/responses": Form.OPENAI_RESPONSES,
}
RECORDINGS = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("recording", RECORDINGS)
def test_no_provider_refuses_what_an_agent_sends(recording: str, target: str) -> None:
    # At an address of one's own OpenAI's models speak chat completions alone, for which the newest are no use.
    is_old = target.startswith("openai/") and target not in {"openai/gpt-5.5", "openai/gpt-6"}
    place = {"base_url": "http://127.0.0.1:9"} if is_old else {}
    for number, request in enumerate(read_recorded(recording)):
        try:
            check(target, sent(SURFACES[request.path], target, request.body, **place))
        except RefusedError as refusal:
            pytest.fail(f"request {number}: {refusal}")
        except UnsupportedFieldError as error:
            if error.param != "tools[0].type":  # a search of the web is for another model
                raise


@pytest.mark.parametrize("recording", RECORDINGS)
def test_every_request_of_an_agent_shows_its_session(recording: str) -> None:
    """A sub-agent's shows the session that it works for."""
    shown = [recognise(request.headers, _split(request)) for request in read_recorded(recording)]
    assert {each is not None and recording.startswith(each.harness) for each in shown} == {True}
    agents = {each.agent for each in shown if each is not None}
    assert len(agents) == (1 if recording in {"claude-code-aside", "pi"} else 2)


def _split(request: RecordedRequest) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(json.dumps(value).encode()) for name, value in request.body.items()}
