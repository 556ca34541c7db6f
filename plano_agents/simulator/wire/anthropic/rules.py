"""Anthropic's rules beyond the form of a request: limits, effort, thinking, sampling, white space, turns.

A model whose name is of no family here is asked for nothing. Each rule names the page or the report that it was written
from, all read on 2026-11-28 and 29; the table is the simulator's own, so that it judges what the router makes of its
own.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from plano_agents.simulator.wire.anthropic import body
from plano_agents.simulator.wire.anthropic.refusals import refuse
from plano_agents.simulator.wire.anthropic.thinking import Adaptive, Enabled, Off

_BUDGET, _EITHER, _ADAPTIVE = (
    frozenset({"enabled"}),
    frozenset({"enabled", "adaptive"}),
    frozenset({"adaptive"}),
)


@dataclass(frozen=True, slots=True)
class Family:
    """Models that take the same."""

    names: str
    """A pattern of their names' beginning."""
    max_output_tokens: int
    """platform.claude.com/docs/en/about-claude/models/overview, and the models' own pages; for Claude 3 and 4
    UKGovernmentBEIS/inspect_ai PR 2675."""
    thinking: frozenset[str] = frozenset()
    """platform.claude.com/docs/en/about-claude/models/extended-thinking-models."""
    off: Literal["any", "to_high", "between_tools", "never"] = "any"
    """How thinking is turned off: beside any effort, beside efforts up to high, as ``between_tools`` beside these, or
    never: what's new in Claude Opus 5.5, in Claude Sonnet 5.5; migration guide, Claude Fable 5."""
    forced_tools: bool = True
    """True if a tool choice may demand a call: what's new in Claude Opus 5.5, in Claude Sonnet 5.5."""
    efforts: tuple[str, ...] = ()
    """platform.claude.com/docs/en/build-with-claude/effort."""
    sampling: Literal["any", "one", "none"] = "any"
    """Temperature and top_p: both, either (router-for-me/CLIProxyAPI#193), or none (what's new in Claude Opus 4.7)."""
    prefill: bool = True
    """True if the conversation may end with the model's turn: migration guide, Claude Opus 4.6."""
    system_turns: bool = False
    """True if instructions may stand between turns: platform.claude.com, mid-conversation system messages."""


_THREE = ("low", "medium", "high")
_FOUR = (*_THREE, "max")
_FIVE = (*_THREE, "xhigh", "max")

FAMILIES = (
    Family(r"claude-3-(haiku|sonnet|opus)", 4_096),
    Family(r"claude-3-5", 8_192),
    Family(r"claude-3-7", 64_000, _BUDGET),
    Family(r"claude-opus-4-(0|2025)", 32_000, _BUDGET),
    Family(r"claude-opus-4-1", 32_000, _BUDGET, sampling="one"),
    Family(r"claude-sonnet-4-(0|2025)", 64_000, _BUDGET),
    Family(r"claude-opus-4-5", 64_000, _BUDGET, efforts=_THREE, sampling="one"),
    Family(r"claude-(sonnet|haiku)-4-5", 64_000, _BUDGET, sampling="one"),
    Family(r"claude-(sonnet|opus)-4-6", 128_000, _EITHER, efforts=_FOUR, sampling="one", prefill=False),
    _NEW := Family(
        r"claude-(opus-4-7|sonnet-5(?!-5))", 128_000, _ADAPTIVE, "any", efforts=_FIVE, sampling="none", prefill=False
    ),
    _TURNS := replace(_NEW, names=r"claude-opus-4-8", system_turns=True),
    replace(_TURNS, names=r"claude-(opus-5(?!-5)|haiku-5)", off="to_high"),
    replace(_TURNS, names=r"claude-sonnet-5-5", off="between_tools", forced_tools=False),
    replace(_TURNS, names=r"claude-(opus-5-5|fable-5-[12])", off="never", forced_tools=False),
    replace(_TURNS, names=r"claude-(fable|mythos)-5", off="never"),
)
"""The families, the first that fits counts."""


def find_family(model: str) -> Family | None:
    """The family of a model's name."""
    return next((family for family in FAMILIES if re.match(family.names, model)), None)


def check_rules(asked: body.Body) -> None:
    """Refuse what a model does not take.

    Raises:
        Refusal: With the provider's words.
    """
    _check_values(asked)
    _check_tools(asked)
    family = find_family(asked.model)
    if family is not None:
        _check_limit(asked, family)
        _check_effort(asked, family)
        _check_off(asked, family)
        _check_sampling(asked, family)
        _check_turns(asked, family)


def _check_values(asked: body.Body) -> None:
    # BerriAI/litellm#3286.
    if any(not stop.strip() for stop in asked.stop_sequences or ()):
        raise refuse("stop_sequences: each stop sequence must contain non-whitespace")
    # vercel/ai PR 12419.
    user = (asked.metadata or {}).get("user_id")
    if isinstance(user, str) and len(user) > body.MAX_USER_ID:
        raise refuse(f"metadata.user_id: String should have at most {body.MAX_USER_ID} characters")


def _check_tools(asked: body.Body) -> None:
    """platform.claude.com/docs/en/agents-and-tools/tool-use: a tool's input is an object without alternatives."""
    for at, tool in enumerate(asked.tools):
        if isinstance(tool, body.ProviderTool):
            continue
        if tool.input_schema.get("type") != "object":
            raise refuse(f"tools.{at}.custom.input_schema.type: Field required")
        if {"anyOf", "oneOf", "allOf"} & tool.input_schema.keys():
            raise refuse(
                f"tools.{at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            )


def _check_limit(asked: body.Body, family: Family) -> None:
    if asked.max_tokens > family.max_output_tokens:
        raise refuse(
            f"max_tokens: {asked.max_tokens} > {family.max_output_tokens}, which is the maximum allowed number of output "
            f"tokens for {asked.model}"
        )


def _check_effort(asked: body.Body, family: Family) -> None:
    effort = asked.output_config.effort if asked.output_config is not None else None
    if effort is not None and not family.efforts:
        raise refuse("This model does not support the effort parameter.")
    if effort is not None and effort not in family.efforts:
        raise refuse(f"output_config.effort: This model does not support effort level '{effort}'.")
    if isinstance(asked.thinking, Adaptive) and "adaptive" not in family.thinking:
        raise refuse("adaptive thinking is not supported on this model")
    if isinstance(asked.thinking, Enabled) and "enabled" not in family.thinking:
        raise refuse('"thinking.type.enabled" is not supported for this model.')


def _check_off(asked: body.Body, family: Family) -> None:
    """Refuse a way of turning thinking off that the model has not, and a call demanded of one that always thinks."""
    if isinstance(asked.thinking, Off) and family.thinking:
        wanted = {"never": "", "between_tools": "between_tools"}.get(family.off, "disabled")
        if asked.thinking.type != wanted:
            raise refuse(
                f'"thinking.type.{asked.thinking.type}" is not supported for this model. Use '
                f'"thinking.type.{wanted or "adaptive"}".'
            )
        effort = asked.output_config.effort if asked.output_config is not None else None
        if family.off != "any" and effort in {"xhigh", "max"}:
            raise refuse(f"thinking.type: '{wanted}' is not supported with effort level '{effort}'.")
    if not family.forced_tools and asked.tool_choice is not None and asked.tool_choice.type in {"any", "tool"}:
        raise refuse("tool_choice: forced tool use is not supported for this model.")


def _check_sampling(asked: body.Body, family: Family) -> None:
    given = [name for name in ("temperature", "top_p", "top_k") if getattr(asked, name) is not None]
    if given and family.sampling == "none":
        raise refuse(f"`{given[0]}` is deprecated for this model.")
    if {"temperature", "top_p"} <= {*given} and family.sampling == "one":
        raise refuse("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_turns(asked: body.Body, family: Family) -> None:
    if asked.messages[-1].role == "assistant" and not family.prefill:
        raise refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if not family.system_turns and any(message.role == "system" for message in asked.messages):
        raise refuse("role 'system' is not supported on this model")
