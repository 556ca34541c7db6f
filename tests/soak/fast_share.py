"""The share of a router's requests that its fast path served, read from the router's own metrics."""

from typing import NamedTuple

import httpx

from tests.router.watch.test_metrics import read_page


class FastShare(NamedTuple):
    """The shares of a router's answered requests that its fast path served, since its start."""

    finished: float
    """Finished by the fast path."""
    begun: float
    """Sent by the fast path: finished or broken off there, or handed to the story, as the provider failed."""


async def read_fast_share(url: str) -> FastShare:
    """Read the share from the metrics of a router at a URL."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        page = await read_page(client)
    answered = sum(value for key, value in page.items() if key[0] == "plano_requests_total")
    finished = page.get(("plano_fast_path_requests_total", "finished"), 0.0)
    broken = page.get(("plano_fast_path_requests_total", "broken off"), 0.0)
    handed = page.get(("plano_fast_path_requests_total", "at the provider"), 0.0)
    return FastShare(finished / answered, (finished + broken + handed) / answered)
