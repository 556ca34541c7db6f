"""Adjustments: what was changed in a request so that its target takes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ADVISORY = frozenset(
    {
        "background_options",
        "betas",
        "billing_policy",
        "cache_control",
        "client_metadata",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "max_tool_calls",
        "metadata",
        "moderation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream_options",
        "user",
        "user_profile_id",
        "workspace_id",
    }
)
"""Fields about storage, billing, caches and who asks: their loss changes no answer."""

ADJUSTABLE = ADVISORY | frozenset(
    {
        "container",
        "context_management",
        "frequency_penalty",
        "include",
        "input",
        "logit_bias",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "seed",
        "speed",
        "stop",
        "stop_sequences",
        "system",
        "temperature",
        "text",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "truncation",
        "verbosity",
    }
)
"""The fields that are counted by name; clients may invent others."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One change of a request."""

    field: str
    """The top-level field that was changed."""
    kind: Literal["dropped", "clamped", "rewritten"]
    """True if it was left out, brought into range, or said in another way."""
    text: str
    """What was done, in a few words without anything of a prompt: ``max_tokens=16384 (was 32000)``."""
    alters: bool = False
    """True if the answer may differ from what was asked for."""


Tell = Callable[[Adjustment], None]
"""Called for each change."""


def ignore(_adjustment: Adjustment) -> None:
    """Note nothing."""


def dropped(field: str, *, alters: bool | None = None) -> Adjustment:
    """Tell that a field was left out.

    Args:
        field: The field.
        alters: Whether the answer may differ; what `ADVISORY` says where None.
    """
    return Adjustment(field, "dropped", f"{field} dropped", field not in ADVISORY if alters is None else alters)


def dropped_within(field: str, what: str, *, alters: bool = False) -> Adjustment:
    """Tell that a piece of a field was left out.

    Args:
        field: The top-level field.
        what: The piece's kind or name, nothing of a prompt.
        alters: Whether the answer may differ.
    """
    return Adjustment(field, "dropped", f"{field}: {what} dropped", alters)


def clamped(field: str, value: float, was: float) -> Adjustment:
    """Tell that a number was brought into range."""
    return Adjustment(field, "clamped", f"{field}={_say(value)} (was {_say(was)})", alters=True)


def rewritten(field: str, text: str) -> Adjustment:
    """Tell that a field says the same in another way."""
    return Adjustment(field, "rewritten", f"{field} {text}")


def substituted(field: str, value: str, was: str) -> Adjustment:
    """Tell that something else stands in for what was named."""
    return Adjustment(field, "rewritten", f"{field}={value} (was {was})")


def _say(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
