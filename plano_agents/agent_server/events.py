"""A run of an agent and what happens during it, as frozen values.

Events are both what the run reports and what the agent server writes: a field's name here is its name in the JSON.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from langchain_core.messages import AnyMessage
from pydantic import ConfigDict

_DOCUMENTED = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Run:
    """The input of a run."""

    run_id: str
    """The run's own id."""
    affinity_id: str
    """The id that every model call carries."""
    messages: tuple[AnyMessage, ...]
    """What is new in the conversation, at least one message."""
    thread_id: str | None = None
    """The conversation to go on with; None for a run that remembers nothing."""
    owner: str = ""
    """Whose API key asked; empty where there are none."""
    has_own_id: bool = False
    """True if the affinity id was made for this run alone."""
    tokens: bool = False
    """True if models are streamed, and their text reported as it comes."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a language model, sub-agents' and tools' calls included."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    turn: int
    """The call's number within the run, from 1, in the order in which the calls began."""
    model: str | None
    """The model that answered, as it calls itself; null where the provider does not say."""
    route: str | None
    """The preference that the router matched; null where none did."""
    decision: str | None
    """What the router did about the affinity id: ``initialize``, ``retain``, ``detour``, ``switch`` or ``none``; null
    without a router."""
    reason: str | None
    """Why, e.g. ``first_turn``; null without a router."""
    tool_calls: tuple[str, ...]
    """The names of the tools that the model called, in its order."""
    duration_ms: int
    """From the request to the end of the answer, in milliseconds."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One call of a tool, answered."""

    turn: int
    """The number of the model call that asked for it."""
    name: str
    """The tool."""
    arguments: Mapping[str, object]
    """What the model called it with, as JSON has it."""
    result: str
    """What it answered, as the model reads it."""
    is_inner: bool = False
    """True if a tool's own code called it, a sub-agent for example; not in the JSON."""
    error: BaseException | None = None
    """What the tool raised; not in the JSON."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a model's text."""

    turn: int
    """The number of the model call that it belongs to."""
    text: str
    """The text, never empty."""
    is_inner: bool = False
    """True if that call is a tool's own, a sub-agent's for example; not in the JSON."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens over all model calls of a run, as the providers count them."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    input_tokens: int = 0
    """Prompt tokens, cached ones included."""
    output_tokens: int = 0
    """Completion tokens."""
    cache_read_tokens: int = 0
    """Prompt tokens that a provider read from its cache."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished run."""

    __pydantic_config__: ClassVar[ConfigDict] = _DOCUMENTED

    run_id: str
    """This run's own id."""
    thread_id: str | None
    """The conversation; send it again to go on with it. Null where the agent remembers nothing."""
    affinity_id: str
    """What every model call of the run carried as ``X-Model-Affinity``."""
    output: str
    """The agent's final message."""
    turns: tuple[ModelCall, ...]
    """Every model call, in order."""
    switches: int
    """How often the model differed from the call before."""
    usage: Usage
    """Tokens over all model calls."""


Event = ModelCall | ToolResult | Token | Answer


def count_switches(calls: tuple[ModelCall, ...]) -> int:
    """Count the model calls that another model answered than the call before them."""
    models = [call.model for call in calls]
    return sum(before != after for before, after in itertools.pairwise(models))
