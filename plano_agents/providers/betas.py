"""Beta features that a Claude lacks: named in ``anthropic-beta`` they are a 400, whatever else the request holds.

A harness names the features of the model that it asks for, and another may serve the request. Features that Anthropic
takes on every model, needed or not, go up as they are.
"""

from collections.abc import Mapping, Sequence

from plano_agents.config.model import ModelProfile
from plano_agents.protocol.adjustment import Adjustment, dropped_within

BETA_HEADER = "anthropic-beta"

LONG_CONTEXT = "context-1m-"
"""A window of a million tokens: vellum-ai/vellum-assistant PR 25302 (Claude Haiku 4.5), NousResearch/hermes-agent PR
21231 (accounts without it); later models have it by themselves."""

_MILLION = 1_000_000


def find_lacking(profile: ModelProfile) -> tuple[str, ...]:
    """Find the features that a model lacks, as far as that is known, by how their names begin."""
    window = profile.context_window
    return (LONG_CONTEXT,) if window is not None and window < _MILLION else ()


def split_betas(value: str, lacking: Sequence[str]) -> tuple[str, list[str]]:
    """Part the features of a header from those that a model lacks.

    Args:
        value: The header's value.
        lacking: What `find_lacking` found.

    Returns:
        The value without them, and their names.
    """
    names = [name.strip() for name in value.split(",")]
    left_out = [name for name in names if name.startswith(tuple(lacking))]
    return (",".join(name for name in names if name not in left_out), left_out) if left_out else (value, [])


def list_left_out(headers: Mapping[str, str], lacking: Sequence[str]) -> tuple[Adjustment, ...]:
    """List the features that a client names and that do not go along, as it is told.

    Args:
        headers: The client's, names in lower case.
        lacking: What `find_lacking` found.
    """
    if not lacking or BETA_HEADER not in headers:
        return ()
    return tuple(dropped_within("betas", name) for name in split_betas(headers[BETA_HEADER], lacking)[1])
