"""Anthropic's thinking, turned off and shown, as each Claude lets it be."""

from typing import Any

import pytest

from plano_agents.errors import UnsupportedFieldError
from tests.providers.fit.conftest import CHAT, MESSAGES, fit, sent
from tests.providers.fit.test_rows import SCHEMA, USER

OFF, BETWEEN = {"type": "disabled"}, {"type": "between_tools"}
TOOLS = [{"name": "f", "input_schema": SCHEMA}]

Wish = tuple[dict[str, str] | None, str | None]
"""Thinking and effort."""


def ask(**fields: object) -> dict[str, Any]:
    return {"messages": [USER], "max_tokens": 100, **fields}


@pytest.mark.parametrize(
    ("model", "asked", "goes_as", "told"),
    [
        ("claude-opus-4-8", (OFF, "max"), (OFF, "max"), []),
        ("claude-sonnet-4-5", (OFF, None), (OFF, None), []),
        ("claude-opus-5", (OFF, "high"), (OFF, "high"), []),
        ("claude-opus-5", (OFF, "max"), (OFF, "high"), ["output_config: effort=high (was max)"]),
        ("claude-haiku-5-5", (OFF, "xhigh"), (OFF, "high"), ["output_config: effort=high (was xhigh)"]),
        ("claude-opus-5-5", (OFF, None), (None, "low"), ["thinking dropped for effort=low"]),
        ("claude-opus-5-5", (OFF, "medium"), (None, "medium"), ["thinking dropped"]),
        ("claude-fable-5", (OFF, None), (None, "low"), ["thinking dropped for effort=low"]),
        ("claude-mythos-5-1", (OFF, None), (None, "low"), ["thinking dropped for effort=low"]),
        ("claude-sonnet-5-5", (OFF, None), (BETWEEN, None), ["thinking sent as between_tools"]),
        ("claude-sonnet-5-5", (BETWEEN, None), (BETWEEN, None), []),
        ("claude-opus-5", (BETWEEN, None), (OFF, None), ["thinking sent as disabled"]),
        ("claude-3-5-haiku", (OFF, None), (None, None), []),
        ("claude-of-tomorrow", (OFF, "max"), (OFF, "max"), []),
    ],
)
def test_thinking_is_turned_off_as_far_as_the_model_lets_it_be(
    model: str, asked: Wish, goes_as: Wish, told: list[str]
) -> None:
    thinking, effort = asked
    body = ask(thinking=thinking, **({"output_config": {"effort": effort}} if effort else {}))
    found = sent(MESSAGES, f"anthropic/{model}", body)
    assert (found.get("thinking"), found.get("output_config", {}).get("effort")) == goes_as
    assert [each.text for each in fit(MESSAGES, f"anthropic/{model}", body).adjustments] == told


@pytest.mark.parametrize(
    ("model", "kind", "display"),
    [
        ("claude-opus-5-5", "adaptive", "updates"),
        ("claude-sonnet-4-6", "adaptive", "omitted"),
        ("claude-opus-4-8", "enabled", "omitted"),
    ],
)
def test_thinking_is_shown_as_the_model_shows_it(model: str, kind: str, display: str) -> None:
    """Claude Code's ``updates`` hide what the model thinks, as ``omitted`` does."""
    asked = {"type": kind, "display": "updates", **({"budget_tokens": 2_000} if kind == "enabled" else {})}
    found = sent(MESSAGES, f"anthropic/{model}", ask(max_tokens=9_000, thinking=asked))
    assert found["thinking"] == {"type": "adaptive", "display": display}


def test_a_call_is_not_demanded_of_a_model_that_calls_as_it_sees_fit() -> None:
    """Another model of the route serves such a request: a choice is never left out."""
    for choice in ({"type": "any"}, {"type": "tool", "name": "f"}):
        with pytest.raises(UnsupportedFieldError, match="demands a call") as caught:
            sent(MESSAGES, "anthropic/claude-opus-5-5", ask(tools=TOOLS, tool_choice=choice))
        assert caught.value.param == "tool_choice"
    function = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    with pytest.raises(UnsupportedFieldError):
        sent(CHAT, "anthropic/claude-fable-5-1", {"messages": [USER], "tools": [function], "tool_choice": "required"})
    for choice in ({"type": "auto"}, {"type": "none"}):
        found = sent(MESSAGES, "anthropic/claude-opus-5-5", ask(tools=TOOLS, tool_choice=choice))
        assert found["tool_choice"] == choice


CLEAR_THINKING = {"type": "clear_thinking_20251015", "keep": "all"}
CLEAR_TOOLS = {"type": "clear_tool_uses_20250919"}


@pytest.mark.parametrize(("edits", "kept"), [([CLEAR_THINKING], None), ([CLEAR_THINKING, CLEAR_TOOLS], [CLEAR_TOOLS])])
def test_no_thinking_is_cleared_where_none_is_asked_for_any_more(
    edits: list[object], kept: list[object] | None
) -> None:
    """Claude Code asks for both together; Anthropic refuses the one without the other."""
    body = ask(thinking={"type": "adaptive"}, context_management={"edits": edits})
    for model in ("claude-3-5-haiku", "claude-haiku-4-5"):  # one thinks not at all, the other not within 100 tokens
        found = sent(MESSAGES, f"anthropic/{model}", body)
        assert "thinking" not in found
        assert found.get("context_management") == (None if kept is None else {"edits": kept})
    assert sent(MESSAGES, "anthropic/claude-opus-5-5", body)["context_management"] == {"edits": edits}


def test_a_clients_own_way_of_clearing_stays() -> None:
    body = ask(context_management={"edits": [CLEAR_THINKING]})
    assert sent(MESSAGES, "anthropic/claude-haiku-4-5", body)["context_management"] == {"edits": [CLEAR_THINKING]}


@pytest.mark.parametrize(
    ("model", "goes_as"),
    [
        ("openai/gpt-5.5", {"reasoning_effort": "none"}),
        ("openai/gpt-5", {"reasoning_effort": "minimal"}),
        ("openai/gpt-4o", {}),
        ("deepseek/deepseek-v4-flash", {"thinking": {"type": "disabled"}}),
        ("ollama/of-tomorrow", {}),
    ],
)
def test_thinking_that_is_turned_off_is_turned_off_at_other_providers(model: str, goes_as: dict[str, object]) -> None:
    """An unknown server is not asked in a word that it may not know."""
    where = {"base_url": "http://127.0.0.1:9"} if model.startswith("openai/") else {}
    found = sent(MESSAGES, model, ask(thinking=OFF), **where)
    assert {name: found[name] for name in ("reasoning_effort", "thinking") if name in found} == goes_as
