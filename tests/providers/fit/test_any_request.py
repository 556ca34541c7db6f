"""Random requests of the official SDKs' types, to every row of the table: whatever was fitted, its provider takes."""

import json
import re
from importlib import resources
from typing import Any

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from plano_agents.errors import RequestError
from plano_agents.protocol.form import Form
from plano_agents.providers.fit import Fitted
from plano_agents.providers.profiles import parse_rows
from tests.providers.fit.conftest import CHAT, MESSAGES, RESPONSES, fit
from tests.providers.fit.providers import check

CHAT_TYPE: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)
MESSAGES_TYPE: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
RESPONSES_TYPE: TypeAdapter[Any] = TypeAdapter(ResponseCreateParamsNonStreaming)

SERVED_BY = {
    "gpt-oss": "groq",
    "gpt": "openai",
    "codex": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "gemini": "gemini",
    "gemma": "gemini",
    "mistral": "mistral",
    "magistral": "mistral",
    "ministral": "mistral",
    "codestral": "mistral",
    "devstral": "mistral",
    "open-mistral": "mistral",
    "pixtral": "mistral",
    "deepseek": "deepseek",
    "grok": "xai",
    "kimi": "moonshotai",
    "moonshot": "moonshotai",
    "glm": "zhipu",
    "llama": "groq",
    "qwen": "ollama",
    "qwq": "ollama",
    "minimax": "ollama",
    "mimo": "ollama",
}
"""A provider whose rules are known of each family, by how its ids begin."""

ROWS = parse_rows(resources.files("plano_agents.providers").joinpath("models.toml").read_text())


def list_targets() -> list[str]:
    """Every id of the table, at a provider that serves it; Claude's with a dot are other providers' spellings."""
    found = []
    for model_id in (each for row in ROWS for each in row.ids):
        provider = next(name for start, name in SERVED_BY.items() if model_id.startswith(start))
        if provider != "anthropic" or "." not in model_id:
            found.append(f"{provider}/{model_id}")
    return found


TEXTS = st.sampled_from(["hi", "\n\n", " ", "Look it up", "“ja”", '{"role": "assistant"}'])
SAID = st.sampled_from(["hi", "Look it up", "“ja”"])
IDS = st.sampled_from(
    ["call_1", "functions.f:0", "call|1", "c" * 70, "toolu_01AbCdEfGh", "a1b2c3d4e", "chatcmpl-tool-8f"]
)
NAMES = st.sampled_from(["f", "server.tool", "n" * 65, "n" * 130, "mcp__x__y", "größe"])
EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
LIMITS = st.sampled_from([1, 100, 5_000, 20_000, 200_000, 1_000_000])
LEAVES = st.sampled_from(
    [
        {},
        {"type": "string", "minLength": 1},
        {"type": "integer", "minimum": 0, "maximum": 9},
        {"enum": ["a", 1]},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "number"}]},
    ]
)


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas of objects and of lists."""
    properties = st.dictionaries(st.sampled_from(["a", "b", "type", "properties"]), inner, max_size=3)
    more = st.fixed_dictionaries(
        {},
        optional={
            "required": st.just(["a"]),
            "additionalProperties": st.sampled_from([True, False, {"type": "string"}]),
            "anyOf": st.just([{"required": ["a"]}, {"properties": {"c": {"type": "string"}}}]),
        },
    )
    whole = st.builds(lambda inside, other: {"type": "object", "properties": inside, **other}, properties, more)
    return whole | st.builds(lambda items: {"type": "array", "items": items, "maxItems": 3}, inner)


SCHEMAS = st.recursive(LEAVES, objects, max_leaves=5)


@st.composite
def loops(draw: st.DrawFn) -> list[tuple[str, str | None, list[tuple[str, str, str]]]]:
    """Turns: who speaks, what is said, and calls with their ids, names and results."""
    turns: list[tuple[str, str | None, list[tuple[str, str, str]]]] = []
    if draw(st.booleans()):
        turns.append(("assistant", draw(SAID), []))
    for _ in range(draw(st.integers(1, 3))):
        turns.append(("user", draw(SAID), []))
        calls = draw(st.lists(st.tuples(IDS, NAMES, TEXTS), max_size=2, unique_by=lambda call: call[0]))
        calls = [
            (f"{call_id}{len(turns)}" if call_id.startswith("toolu_") else call_id, name, result)
            for call_id, name, result in calls
        ]  # Anthropic gives no id twice
        turns.append(("assistant", draw(TEXTS if calls else SAID), calls))
    if draw(st.booleans()):
        turns.append((draw(st.sampled_from(["user", "system"])), draw(SAID), []))
    return turns


TOOLS: st.SearchStrategy[list[tuple[str, dict[str, Any], bool | None]]] = st.lists(
    st.tuples(NAMES, SCHEMAS, st.sampled_from([None, True, False])),
    max_size=3,
    unique_by=lambda tool: tool[0],
)


@st.composite
def chat_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of OpenAI's SDK."""
    messages: list[dict[str, Any]] = []
    for role, text, calls in draw(loops()):
        message: dict[str, Any] = {"role": role, "content": text}
        if calls:
            message["tool_calls"] = [
                {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
                for call_id, name, _ in calls
            ]
        messages.append(message)
        messages += [{"role": "tool", "tool_call_id": call_id, "content": result} for call_id, _, result in calls]
    if draw(st.booleans()):
        messages.insert(0, {"role": "developer", "content": draw(SAID)})
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "max_tokens": LIMITS,
                "max_completion_tokens": LIMITS,
                "temperature": st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]),
                "top_p": st.sampled_from([0.1, 0.9, 1.0]),
                "stop": st.sampled_from(["\n", "END", ["a", " "], ["a", "b", "c", "d"]]),
                "seed": st.integers(0, 9),
                "presence_penalty": st.sampled_from([0.0, 0.5]),
                "frequency_penalty": st.sampled_from([0.0, 0.5]),
                "logit_bias": st.sampled_from([{}, {"1": 5}]),
                "logprobs": st.booleans(),
                "n": st.integers(1, 2),
                "user": st.sampled_from(["u", "u" * 300]),
                "safety_identifier": st.sampled_from(["s", "s" * 300]),
                "prompt_cache_key": st.sampled_from(["k", "k" * 300]),
                "metadata": st.just({"a": "b"}),
                "store": st.booleans(),
                "service_tier": st.just("auto"),
                "verbosity": st.sampled_from(["low", "medium", "high"]),
                "reasoning_effort": st.sampled_from(EFFORTS),
                "parallel_tool_calls": st.booleans(),
            },
        )
    )
    tools = draw(TOOLS)
    if tools:
        fields["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "parameters": schema,
                    **({} if strict is None else {"strict": strict}),
                },
            }
            for name, schema, strict in tools
        ]
        choice = {"type": "function", "function": {"name": tools[0][0]}}
        fields |= draw(st.sampled_from([{}, {"tool_choice": "required"}, {"tool_choice": choice}]))
    else:
        fields.pop("parallel_tool_calls", None)
    wanted = draw(st.none() | st.just("json_object") | SCHEMAS)
    if isinstance(wanted, str):
        fields["response_format"] = {"type": wanted}
    elif wanted is not None:
        schema = {"name": "answer", "schema": wanted, "strict": draw(st.booleans())}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {"model": "m", "messages": messages, **fields}


@st.composite
def messages_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of Anthropic's SDK."""
    messages: list[dict[str, Any]] = []
    for role, text, calls in draw(loops()):
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text}]
        blocks += [{"type": "tool_use", "id": call_id, "name": name, "input": {}} for call_id, name, _ in calls]
        messages.append({"role": role, "content": blocks})
        if calls:
            results = [
                {"type": "tool_result", "tool_use_id": call_id, "content": result} for call_id, _, result in calls
            ]
            reminder = [{"type": "text", "text": "Stay on task."}] if draw(st.booleans()) else []
            messages.append({"role": "user", "content": [*results, *reminder]})
    thinking = st.sampled_from(
        [
            {"type": "adaptive"},
            {"type": "between_tools"},
            {"type": "disabled"},
            {"type": "enabled", "budget_tokens": 2_000},
        ]
    )
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"max_tokens": LIMITS},
            optional={
                "system": st.sampled_from(["You help.", [{"type": "text", "text": "You help."}]]),
                "stop_sequences": st.sampled_from([["\n"], ["a", "b", "c", "d", "e"]]),
                "metadata": st.sampled_from([{"user_id": "u"}, {"user_id": "u" * 300}]),
                "service_tier": st.just("auto"),
                "thinking": thinking,
            },
        )
    )
    if "budget_tokens" in fields.get("thinking", ()) and fields["max_tokens"] <= 2_000:
        del fields["thinking"]  # Anthropic's own clients may not ask for it
    tools = draw(TOOLS)
    if tools:
        fields["tools"] = [
            {"name": name, "input_schema": schema, **({} if strict is None else {"strict": strict})}
            for name, schema, strict in tools
            if schema.get("type") == "object"
        ]
    config: dict[str, Any] = {}
    effort = draw(st.none() | st.sampled_from(EFFORTS[2:]))
    if effort is not None:
        config["effort"] = effort
    wanted = draw(st.none() | SCHEMAS)
    if wanted is not None:
        config["format"] = {"type": "json_schema", "schema": wanted}
    return {"model": "m", "messages": messages, **fields, **({"output_config": config} if config else {})}


@st.composite
def responses_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of OpenAI's SDK to its responses."""
    items: list[dict[str, Any]] = []
    for role, text, calls in draw(loops()):
        items.append({"role": role, "content": text})
        items += [
            {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}"} for call_id, name, _ in calls
        ]
        items += [
            {"type": "function_call_output", "call_id": call_id, "output": result} for call_id, _, result in calls
        ]
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "instructions": st.just("You help."),
                "max_output_tokens": LIMITS,
                "temperature": st.sampled_from([0.0, 1.0, 1.5]),
                "top_p": st.sampled_from([0.1, 1.0]),
                "user": st.sampled_from(["u", "u" * 300]),
                "safety_identifier": st.sampled_from(["s", "s" * 300]),
                "prompt_cache_key": st.sampled_from(["k", "k" * 300]),
                "store": st.booleans(),
                "metadata": st.just({"a": "b"}),
                "parallel_tool_calls": st.booleans(),
                "reasoning": st.sampled_from([{"effort": effort} for effort in EFFORTS]),
            },
        )
    )
    tools = draw(TOOLS)
    if tools:
        fields["tools"] = [
            {"type": "function", "name": name, "parameters": schema, "strict": strict} for name, schema, strict in tools
        ]
    wanted = draw(st.none() | SCHEMAS)
    if wanted is not None:
        form = {"type": "json_schema", "name": "answer", "schema": wanted, "strict": draw(st.booleans())}
        fields["text"] = {"format": form}
    return {"model": "m", "input": items, **fields}


ANY_TARGET = st.sampled_from(list_targets())


@settings(max_examples=250)
@given(target=ANY_TARGET, body=chat_requests())
def test_any_chat_request_is_fitted_so_that_its_target_takes_it(target: str, body: dict[str, Any]) -> None:
    CHAT_TYPE.validate_python(body)
    check_fitted(CHAT, target, body)


@settings(max_examples=250)
@given(target=ANY_TARGET, body=messages_requests())
def test_any_messages_request_is_fitted_so_that_its_target_takes_it(target: str, body: dict[str, Any]) -> None:
    MESSAGES_TYPE.validate_python(body)
    check_fitted(MESSAGES, target, body)


@settings(max_examples=250)
@given(target=ANY_TARGET, body=responses_requests())
def test_any_responses_request_is_fitted_so_that_its_target_takes_it(target: str, body: dict[str, Any]) -> None:
    RESPONSES_TYPE.validate_python(body)
    check_fitted(RESPONSES, target, body)


def test_every_row_is_a_target() -> None:
    targets = {name.partition("/")[2] for name in list_targets()}
    assert all(targets & set(row.ids) for row in ROWS)


def check_fitted(surface: Form, target: str, body: dict[str, Any]) -> None:
    """Fit and check; what is refused is refused by the name of a field that is there."""
    refused: str | None = None
    fitted: Fitted | None = None
    try:
        fitted = fit(surface, target, body)
    except RequestError as error:
        refused = error.param
    if fitted is not None:
        check(target, json.loads(fitted.body))
    else:
        assert re.split(r"[.\[]", refused or "")[0] in body
