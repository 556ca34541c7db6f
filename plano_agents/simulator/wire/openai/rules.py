"""OpenAI's rules beyond the form of a request: limits, effort, sampling, stops, lengths of texts.

A model whose name is of no family here is asked for nothing but lengths. Each rule names the page or the report that it
was written from, all read on 2026-11-28 and 29; the table is the simulator's own, so that it judges what the router
makes of its own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai import body
from plano_agents.simulator.wire.openai.refusals import refuse

MAX_NAME = 64
"""``user``, ``safety_identifier`` and ``prompt_cache_key`` (OpenAPI document; maximhq/bifrost PR 1000)."""
MAX_CALL_ID = 40
"""Ids of calls: langmanus/langmanus#119, microsoft/autogen#6377."""


Responses = Literal["nothing", "tools_with_effort", "tools", "all"]
"""What a model takes on responses alone: tools beside an effort, tools unless the effort is none, or everything."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same."""

    names: str
    """A pattern of their names' beginning."""
    max_output_tokens: int
    """developers.openai.com/api/docs/models, the models' own pages."""
    efforts: tuple[str, ...] = ()
    """developers.openai.com/api/docs/guides/reasoning; anomalyco/models.dev PR 2351 (with OpenAI's pages);
    egoist/chatwise-releases#1257 (chat models). None means that the model does not reason."""
    responses: Responses = "nothing"
    """What is taken on responses alone. Tools: openai/openai-openapi#541 (5.4), charmbracelet/crush#2913 (5.5),
    BerriAI/litellm PR 34569 (5.6), bolna-ai/bolna PR 1019 (6). All: langchain-ai/langchain PR 35594 (pro and codex
    models, with OpenAI's pages), HeyPuter/puter#1303 (o3-pro)."""
    is_tunable: bool = False
    """True if it takes ``max_tokens`` and sampling although it reasons; nothing else is known of the chat models."""

    @property
    def is_fixed(self) -> bool:
        """True if it takes ``max_completion_tokens`` and the default sampling alone."""
        return bool(self.efforts) and not self.is_tunable


_THREE = ("low", "medium", "high")

FAMILIES = (
    Family(r"gpt-3\.5-turbo", 4_096),
    Family(r"gpt-4-(turbo|1106|0125|vision)", 4_096),
    Family(r"gpt-4o|chatgpt-4o", 16_384),
    Family(r"gpt-4\.1", 32_768),
    Family(r"gpt-4-32k", 32_768),
    Family(r"gpt-4(-|$)", 8_192),
    Family(r"gpt-5-chat", 16_384),
    Family(r"gpt-5\.\d-chat", 16_384, ("medium",), is_tunable=True),
    Family(r"gpt-5-pro", 272_000, ("high",), "all"),
    Family(r"gpt-5\.[24]-pro", 128_000, ("medium", "high", "xhigh"), "all"),
    Family(r"gpt-5-codex", 128_000, _THREE, "all"),
    Family(r"gpt-5\.[1-3]-codex", 128_000, (*_THREE, "xhigh"), "all"),
    Family(r"gpt-5(-|$)", 128_000, ("minimal", *_THREE)),
    Family(r"gpt-5\.1(-|$)", 128_000, ("none", *_THREE)),
    Family(r"gpt-5\.[23]", 128_000, ("none", *_THREE, "xhigh")),
    Family(r"gpt-5\.4", 128_000, ("none", *_THREE, "xhigh"), "tools_with_effort"),
    Family(r"gpt-5\.[56]", 128_000, ("none", *_THREE, "xhigh"), "tools"),
    Family(r"gpt-6", 128_000, (*_THREE, "xhigh", "max"), "tools"),
    Family(r"o[13]-pro|codex-mini", 100_000, _THREE, "all"),
    Family(r"o1(-20|$)|o[34](-|$)", 100_000, _THREE),
)
"""The families, the first that fits counts."""


def find_family(model: str) -> Family | None:
    """The family of a model's name."""
    return next((family for family in FAMILIES if re.match(family.names, model)), None)


def check_rules(asked: body.Body) -> None:
    """Refuse what a model does not take.

    Raises:
        Refusal: With the provider's words and code.
    """
    for path, text, most in _list_texts(asked):
        check_length(path, text, most)
    family = find_family(asked.model)
    if family is not None:
        _check_place(asked, family)
        _check_limit(asked, family)
        refuse_effort(family, asked.reasoning_effort, "reasoning_effort")
        if family.is_fixed:
            refuse_sampling({"temperature": asked.temperature, "top_p": asked.top_p})
            _check_rest(asked)


def check_length(path: str, text: str, most: int) -> None:
    """Refuse a text that is too long."""
    if len(text) > most:
        raise refuse(
            f"Invalid '{path}': string too long. Expected a string with maximum length {most}, but got a string with "
            f"length {len(text)} instead.",
            path,
            "string_above_max_length",
        )


def _check_place(asked: body.Body, family: Family) -> None:
    """Refuse what is taken on responses alone."""
    if family.responses == "all":
        message = "This model is only supported in v1/responses and not in v1/chat/completions."
        raise refuse(message, "model", status=404)
    default = "none" if family.responses == "tools_with_effort" else "medium"
    if family.responses != "nothing" and asked.tools and (asked.reasoning_effort or default) != "none":
        raise refuse(
            f"Function tools with reasoning_effort are not supported for {asked.model} in /v1/chat/completions. To use "
            "function tools, use /v1/responses or set reasoning_effort to 'none'.",
            "reasoning_effort",
        )


def _list_texts(asked: body.Body) -> Iterator[tuple[str, str, int]]:
    """The texts whose length is limited: path, text, limit."""
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        yield name, getattr(asked, name) or "", MAX_NAME
    for at, message in enumerate(asked.messages):
        if isinstance(message, body.ToolAnswer):
            yield f"messages[{at}].tool_call_id", message.tool_call_id, MAX_CALL_ID
        if isinstance(message, body.Assistant):
            for place, call in enumerate(message.tool_calls or ()):
                yield f"messages[{at}].tool_calls[{place}].id", call.id, MAX_CALL_ID


def _check_limit(asked: body.Body, family: Family) -> None:
    if asked.max_tokens is not None and family.is_fixed:  # help.openai.com/en/articles/5072518
        raise refuse(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    for name in ("max_tokens", "max_completion_tokens"):
        wanted = getattr(asked, name)
        if wanted is not None and wanted > family.max_output_tokens:
            raise refuse(
                f"{name} is too large: {wanted}. This model supports at most {family.max_output_tokens} completion tokens, "
                f"whereas you provided {wanted}.",
                name,
                "invalid_value",
            )


def refuse_effort(family: Family, effort: str | None, name: str) -> None:
    """Refuse an effort that a model does not take.

    Args:
        family: The model's.
        effort: What is asked for.
        name: What the field is called.
    """
    if effort is None or effort in family.efforts:
        return
    if not family.efforts:
        raise _unsupported(name)
    values = ", ".join(f"'{value}'" for value in family.efforts)
    raise refuse(
        f"Unsupported value: '{name}' does not support '{effort}' with this model. Supported values are: {values}.",
        name,
        "unsupported_value",
    )


def refuse_sampling(asked: Mapping[str, float | None]) -> None:
    """Refuse what is not the default: reasoning models take no other (guide to reasoning)."""
    for name, value in asked.items():
        if value is not None and value != 1:
            raise refuse(
                f"Unsupported value: '{name}' does not support {value:g} with this model. Only the default (1) value is "
                "supported.",
                name,
                "unsupported_value",
            )


def _check_rest(asked: body.Body) -> None:
    """Reasoning models take no stops and no likelihoods: guide to reasoning; BerriAI/litellm PR 33738."""
    for name in ("stop", "presence_penalty", "frequency_penalty", "logit_bias"):
        if getattr(asked, name):
            raise _unsupported(name)


def _unsupported(name: str) -> Refusal:
    return refuse(f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter")
