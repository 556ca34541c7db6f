"""The provider's requests: each is taken, or refused as the simulator's own limit."""

import json

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from pydantic import JsonValue

from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.body import Body
from plano_agents.simulator.wire.openai.limits import FIELDS
from plano_agents.simulator.wire.openai.request import parse_openai_request

USER: JsonValue = {"role": "user", "content": "hi"}


def parse(message: JsonValue = USER, **fields: JsonValue) -> None:
    parse_openai_request(json.dumps({"model": "m", "messages": [message], **fields}).encode())


def test_every_field_of_the_sdk_is_taken_or_named_as_a_limit() -> None:
    assert set(CompletionCreateParamsBase.__annotations__) <= Body.model_fields.keys() | FIELDS.keys()


def test_fields_that_change_nothing_are_accepted() -> None:
    parse(
        seed=7,
        verbosity="low",
        reasoning_effort="high",
        prompt_cache_key="k",
        prompt_cache_options={"mode": "implicit"},
        safety_identifier="s",
        service_tier="priority",
        store=True,
        metadata={"a": "b"},
        prediction={"type": "content", "content": "x"},
        logit_bias={"50256": -100},
        logprobs=False,
        top_logprobs=None,
        modalities=["text"],
        n=1,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"logprobs": True}, "The simulated models do not return logprobs."),
        ({"logprobs": True, "top_logprobs": 3}, "The simulated models do not return logprobs."),
        ({"n": 2}, "The simulated models give one choice (`n` of 1)."),
        ({"functions": [{"name": "f"}]}, "The simulated models take `tools`, not the legacy `functions`."),
        ({"audio": {"voice": "x", "format": "mp3"}}, "The simulated models do not speak."),
        ({"modalities": ["text", "audio"]}, "The simulated models answer in text only."),
        ({"web_search_options": {}}, "The simulated models do not search the web."),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            "The simulated models call function tools only, no custom ones.",
        ),
        (
            {"message": {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}},
            "The simulated models do not listen.",
        ),
    ],
)
def test_a_limit_of_the_simulator_says_so(fields: dict[str, JsonValue], message: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(**fields)
    assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"verbosity": "loud"}, "Invalid value: 'loud'. Supported values are: 'low', 'medium' or 'high'."),
        ({"n": 0}, "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."),
        ({"sampler": 1}, "Unknown parameter: 'sampler'."),
    ],
)
def test_what_the_provider_refuses_is_refused_in_its_words(fields: dict[str, JsonValue], message: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(**fields)
    assert caught.value.message == message
