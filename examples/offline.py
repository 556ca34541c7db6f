"""Common parts of the examples: a router on simulated models for as long as one runs, and a line for each turn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from plano_agents.integrations.router_address import find_router
from plano_agents.testing import offline_router

CONFIG = Path(__file__).parents[1] / "config.yaml"


@contextmanager
def running_router(config: Path = CONFIG) -> Iterator[str]:
    """Run a router; if ``PLANO_BASE_URL`` or ``PLANO_URL`` names one that runs already, use that one.

    Args:
        config: A ``config.yaml``.

    Yields:
        The router's base URL, ``/v1`` included.
    """
    running = find_router()
    if running:
        yield running
        return
    with offline_router(config) as url:
        yield url


def show_turn(who: str, headers: Mapping[str, str]) -> None:
    """Print what the router said of an answer, in its headers."""
    print(f"{who:<14} {headers['x-plano-model']:<28} {headers['x-plano-affinity']}")


def show_plano(who: str, plano: Mapping[str, object]) -> None:
    """Print the same, from the ``response_metadata["plano"]`` of a message."""
    print(f"{who:<14} {plano['model']:<28} {plano['decision']}; reason={plano['reason']}")


def weather(city: str) -> str:
    """Weather in a city.

    Args:
        city: The city's name.
    """
    return f"18 degrees in {city}"
