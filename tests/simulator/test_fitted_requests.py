"""Requests as the router fits them, judged by the simulator: a wrong row in its table is refused or told here."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.config.model import ModelProfile
from plano_agents.errors import RequestError
from plano_agents.protocol.form import Form
from plano_agents.providers.profiles import find_known, load_known
from plano_agents.simulator.wire.anthropic import rules as anthropic_rules
from plano_agents.simulator.wire.anthropic.request import parse_anthropic_request
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai import rules as openai_rules
from plano_agents.simulator.wire.openai.request import parse_openai_request
from plano_agents.simulator.wire.responses.request import parse_responses_request
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, fit
from tests.providers.fit.test_any_request import chat_requests, messages_requests, responses_requests

CLAUDES = sorted(name for name in load_known() if anthropic_rules.find_family(name))
GPTS = sorted(name for name in load_known() if openai_rules.find_family(name))

MISTAKES = ("The simulated models", "'messages' must contain the word 'json'")
"""What only the simulator refuses, and what the client itself did wrong."""

_THINKING = {"none": set(), "budget": {"enabled"}, "any": {"enabled", "adaptive"}, "adaptive": {"adaptive"}}
_OFF = {"any": "any_effort", "to_high": "to_high", "between_tools": "between_tools", "never": "never"}
_SAMPLING = {"any": None, "one": "one", "none": "default"}


@pytest.mark.parametrize("name", CLAUDES)
def test_the_row_of_a_claude_says_what_the_simulated_one_takes(name: str) -> None:
    row, family = find_known(name), anthropic_rules.find_family(name)
    assert family is not None
    assert _describe(row) == (family.max_output_tokens, family.efforts)
    assert _THINKING[row.thinking or "none"] == family.thinking
    assert not family.thinking or row.thinking_off == _OFF[family.off]
    assert (row.forced_tools is not False) == family.forced_tools
    assert row.sampling == _SAMPLING[family.sampling]
    assert (row.prefill is not False, row.system_turns is True) == (family.prefill, family.system_turns)


@pytest.mark.parametrize("name", GPTS)
def test_the_row_of_a_gpt_says_what_the_simulated_one_takes(name: str) -> None:
    row, family = find_known(name), openai_rules.find_family(name)
    assert family is not None
    assert _describe(row) == (family.max_output_tokens, family.efforts)
    assert (row.responses_for or "nothing") == family.responses
    assert (row.sampling == "default", row.stop_sequences == 0) == (family.is_fixed,) * 2


def _describe(row: ModelProfile) -> tuple[int | None, tuple[str, ...]]:
    return row.max_output_tokens, tuple(row.efforts or ())


def judge(surface: Form, target: str, body: dict[str, Any]) -> None:
    """Send the fitted request to the simulator; what the simulator cannot do is not a verdict."""
    with contextlib.suppress(RequestError):
        fitted = json.loads(fit(surface, target, body).body)
        fitted["model"] = target.partition("/")[2]
        own = parse_responses_request if "input" in fitted else parse_openai_request
        parse = parse_anthropic_request if target.startswith("anthropic/") else own
        try:
            parse(json.dumps(fitted).encode())
        except Refusal as refusal:
            if not refusal.message.startswith(MISTAKES):
                raise


ANY_TARGET = st.sampled_from([f"anthropic/{name}" for name in CLAUDES] + [f"openai/{name}" for name in GPTS])


@settings(max_examples=150)
@given(target=ANY_TARGET, body=chat_requests())
def test_any_fitted_chat_request_is_taken(target: str, body: dict[str, Any]) -> None:
    judge(CHAT, target, body)


@settings(max_examples=150)
@given(target=ANY_TARGET, body=messages_requests())
def test_any_fitted_messages_request_is_taken(target: str, body: dict[str, Any]) -> None:
    judge(MESSAGES, target, body)


@settings(max_examples=150)
@given(target=st.sampled_from([f"openai/{name}" for name in GPTS]), body=responses_requests())
def test_any_fitted_responses_request_is_taken(target: str, body: dict[str, Any]) -> None:
    judge(RESPONSES, target, body)
