"""OpenAI's rules beyond the form of a request: limits, effort, sampling, stops, lengths of texts.

A model whose name is of no family here is asked for nothing but lengths. Each rule names the page or the report that it
was written from, all read on 2026-11-28 and 29; the table is the simulator's own, so that it judges what the router
makes of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai import body
from plano_agents.simulator.wire.openai.refusals import refuse

MAX_NAME = 64
"""``user``, ``safety_identifier`` and ``prompt_cache_key`` (OpenAPI document; maximhq/bifrost PR 1000)."""
MAX_CALL_ID = 40
"""Ids of calls: langmanus/langmanus#119, microsoft/autogen#6377."""


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
    is_tunable: bool = False
    """Whether it takes ``max_tokens`` and sampling although it reasons; nothing else is known of the chat models."""

    @property
    def is_fixed(self) -> bool:
        """Whether it takes ``max_completion_tokens`` and the default sampling alone."""
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
    Family(r"gpt-5-pro", 272_000, ("high",)),
    Family(r"gpt-5(-|$)", 128_000, ("minimal", *_THREE)),
    Family(r"gpt-5\.1-codex", 128_000, (*_THREE, "xhigh")),
    Family(r"gpt-5\.1(-|$)", 128_000, ("none", *_THREE)),
    Family(r"gpt-5\.[2-6]", 128_000, ("none", *_THREE, "xhigh")),
    Family(r"o1(-20|-pro|$)|o[34](-|$)", 100_000, _THREE),
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
        if len(text) > most:
            raise refuse(
                f"Invalid '{path}': string too long. Expected a string with maximum length {most}, but got a string with "
                f"length {len(text)} instead.",
                path,
                "string_above_max_length",
            )
    family = find_family(asked.model)
    if family is not None:
        _check_limit(asked, family)
        _check_effort(asked, family)
        if family.is_fixed:
            _check_sampling(asked)


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


def _check_effort(asked: body.Body, family: Family) -> None:
    effort = asked.reasoning_effort
    if effort is None or effort in family.efforts:
        return
    if not family.efforts:
        raise _unsupported("reasoning_effort")
    values = ", ".join(f"'{value}'" for value in family.efforts)
    raise refuse(
        f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. Supported values are: {values}.",
        "reasoning_effort",
        "unsupported_value",
    )


def _check_sampling(asked: body.Body) -> None:
    """Reasoning models take the defaults alone, and no stops: guide to reasoning; BerriAI/litellm PR 33738."""
    for name in ("temperature", "top_p"):
        value = getattr(asked, name)
        if value is not None and value != 1:
            raise refuse(
                f"Unsupported value: '{name}' does not support {value:g} with this model. Only the default (1) value is "
                "supported.",
                name,
                "unsupported_value",
            )
    for name in ("stop", "presence_penalty", "frequency_penalty", "logit_bias"):
        if getattr(asked, name):
            raise _unsupported(name)


def _unsupported(name: str) -> Refusal:
    return refuse(f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter")
