"""The memory of earlier requests: the next one is fitted as if there were none."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plano_agents.errors import RequestError
from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.providers.fit import Fitted, build_fittings
from plano_agents.providers.fit.fitting import Fitting
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_target
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, build_model
from tests.providers.fit.test_any_request import ANY_TARGET, chat_requests, messages_requests, responses_requests

REQUESTS = {CHAT: chat_requests(), MESSAGES: messages_requests(), RESPONSES: responses_requests()}
CONVERSATIONS = {CHAT: "messages", MESSAGES: "messages", RESPONSES: "input"}
FORMS = [Form.OPENAI_CHAT, Form.ANTHROPIC_MESSAGES, Form.OPENAI_RESPONSES]


def build(target: str, form: Form) -> Fitting | None:
    model = build_model(target)
    found = build_target(model)
    return build_fittings(model, found.urls, find_profile(model, {}), is_own_host=found.is_own_host).get(form)


def fit(fitting: Fitting, body: dict[str, Any]) -> Fitted | str:
    """Give what came of a request: fitted, or why it was refused."""
    try:
        return fitting.fit(split_fields(json.dumps(body, separators=(",", ":")).encode()))
    except RequestError as error:
        return str(error)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), target=ANY_TARGET, form=st.sampled_from(FORMS))
def test_a_request_is_fitted_alike_whatever_was_fitted_before(data: st.DataObject, target: str, form: Form) -> None:
    used, new = build(target, form), build(target, form)
    if used is None or new is None:
        return
    name = CONVERSATIONS[form]
    fields = data.draw(REQUESTS[form])
    conversations = data.draw(st.lists(REQUESTS[form].map(lambda body: body[name]), min_size=1, max_size=3))
    for conversation in conversations:
        fit(used, {**fields, name: conversation})
    fit(used, fields)
    assert fit(used, fields) == fit(new, fields)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), target=ANY_TARGET, form=st.sampled_from(FORMS))
def test_what_follows_a_quiet_part_is_quiet_as_the_whole_is(data: st.DataObject, target: str, form: Form) -> None:
    fitting = build(target, form)
    if fitting is None:
        return
    quiet, name = fitting.known.quiet, CONVERSATIONS[form]
    first, more = (data.draw(REQUESTS[form])[name] for _ in range(2))
    begun, whole = (json.dumps(turns, separators=(",", ":")).encode() for turns in (first, [*first, *more]))
    if quiet.holds(begun, 0):
        assert not quiet.holds(whole, 0, len(begun) - 1) or quiet.holds(whole, 0)


SHOP = [{"role": "system", "content": "You sell."}, {"role": "user", "content": "A lamp?"}]
CALL = {"id": "call_1aZ", "type": "function", "function": {"name": "find", "arguments": "{}"}}
LOOP = [
    *SHOP,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1aZ", "content": "One lamp."},
]
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}


def test_the_next_turn_of_a_loop_of_tools_takes_no_step(monkeypatch: Any) -> None:  # noqa: ANN401 - pytest's
    fitting = build("openai/gpt-4o", CHAT)
    assert fitting is not None
    around = {"model": "m", "temperature": 0.2, "tools": [TOOL]}
    fit(fitting, {**around, "messages": SHOP})
    monkeypatch.setattr("plano_agents.providers.fit.fitting.STEPS", (_refuse,))
    fitted = fit(fitting, {**around, "messages": LOOP})
    assert isinstance(fitted, Fitted)
    assert json.loads(fitted.body) == {**around, "model": "gpt-4o", "messages": LOOP}


def test_what_is_remembered_has_an_end() -> None:
    fitting = build("openai/gpt-4o", CHAT)
    assert fitting is not None
    for number in range(100):
        fit(fitting, {"model": "m", "user": "u" * number, "messages": SHOP})
    assert len(fitting.known) == 32


def _refuse(*_: object) -> None:
    raise AssertionError("a step was taken")
