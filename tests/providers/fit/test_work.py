"""The work that fitting a request makes: linear in its fields."""

import json
import sys
from collections.abc import Callable
from types import FrameType

from plano_agents.protocol.decoding import split_fields
from plano_agents.protocol.form import Form
from plano_agents.providers.fit import build_fittings
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_target
from tests.router.conftest import build_model


def count_calls(call: Callable[[], object]) -> int:
    """Count the Python functions that a call runs, comparisons of dataclasses among them."""
    calls = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


def test_twice_the_unknown_fields_are_at_most_twice_the_work() -> None:
    model = build_model("mistral/m", base_url="http://127.0.0.1:1/v1")
    target = build_target(model)
    fitting = build_fittings(model, target.urls, find_profile(model, {}), is_own_host=target.is_own_host)[
        Form.OPENAI_CHAT
    ]

    def count(number: int) -> int:
        unknown = {f"k{each}": 1 for each in range(number)}
        fields = split_fields(json.dumps({"model": "m", "messages": [], **unknown}).encode())
        return count_calls(lambda: fitting.fit(fields))

    assert count(400) <= 2 * count(200)
