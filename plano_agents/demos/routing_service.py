"""A router's decision on a request, and the scores that its preferences have for it; no model is asked."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
import openai

Scores = tuple[tuple[str, float], ...]
"""Preferences and their scores from 0 to 1, the best first."""


class _Preference(msgspec.Struct):
    name: str
    score: float | None = None


class _Explanation(msgspec.Struct):
    preferences: list[_Preference]


class _Explained(msgspec.Struct):
    explanation: _Explanation


class _Decision(msgspec.Struct):
    models: Annotated[list[str], msgspec.Meta(min_length=1)]


def ask_scores(client: openai.OpenAI, *, model: str, messages: Iterable[Any], tools: Iterable[Any]) -> Scores:
    """Ask a router how well its preferences match a request.

    Args:
        client: Connected to the router.
        model: The model that the request asks for.
        messages: The request's.
        tools: The request's.

    Returns:
        The scores; empty where the router does not explain itself, as Plano does not.
    """
    routing = client.with_options(base_url=find_routing(str(client.base_url)))
    try:
        raw = routing.chat.completions.with_raw_response.create(
            model=model, messages=messages, tools=tools, extra_headers={"X-Plano-Explain": "true"}
        )
        found = msgspec.json.decode(raw.content, type=_Explained).explanation.preferences
    except (openai.OpenAIError, msgspec.DecodeError, UnicodeDecodeError):
        return ()
    scored = [(each.name, each.score) for each in found if each.score is not None]
    return tuple(sorted(scored, key=lambda each: -each[1]))


def ask_model(client: openai.OpenAI, *, model: str, messages: Iterable[Any], headers: Mapping[str, str]) -> str:
    """Ask a router which model a request would go to.

    Args:
        client: Connected to the router.
        model: The model that the request asks for.
        messages: The request's.
        headers: The request's.

    Raises:
        openai.OpenAIError: The router failed.
        msgspec.DecodeError: Something else than a router answered.
    """
    routing = client.with_options(base_url=find_routing(str(client.base_url)))
    raw = routing.chat.completions.with_raw_response.create(model=model, messages=messages, extra_headers=headers)
    return msgspec.json.decode(raw.content, type=_Decision).models[0].rpartition("/")[2]


def find_routing(router: str) -> str:
    """The address of a router's decision endpoint.

    Args:
        router: The router's base URL, ``/v1`` included.
    """
    return f"{router.rstrip('/').removesuffix('/v1')}/routing/v1"
