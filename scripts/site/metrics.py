"""Writes the tables of ``docs/metrics.md`` from what the router and the agent server count.

Run as ``python -m scripts.site.metrics``; a test fails while the page is not what this writes.
"""

from collections.abc import Sequence
from pathlib import Path

from plano_agents.agent_server.metrics import AgentMetrics
from plano_agents.config.model import Routing
from plano_agents.config.options import SessionCache
from plano_agents.observe.tally import Tally
from plano_agents.router.request.fast_service import build_fast_tally, count_fast_turns
from plano_agents.router.watch.ghosts.beside import Beside
from plano_agents.router.watch.ghosts.days import Days
from plano_agents.router.watch.metrics import Metrics
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.build import build_store

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def write_page() -> None:
    """Bring the page up to date."""
    PAGE.write_text(render_page(PAGE.read_text()))


def list_tallies() -> dict[str, Sequence[Tally]]:
    """The metrics of each server, with every store there is."""
    routing = Routing(session_cache=SessionCache("redis", SecretStr("redis://localhost")))
    store = build_store(routing)
    beside = Beside(Days(store))
    kept = (*store.tallies, *beside.tallies, build_fast_tally(count_fast_turns()))
    return {"router": Metrics(kept).tallies, "agent server": AgentMetrics().tallies}


def name_samples(tally: Tally) -> list[str]:
    """The names that a tally has on the page that Prometheus scrapes."""
    if tally.kind == "histogram":
        return [f"{tally.name}_{part}" for part in ("bucket", "sum", "count")]
    return [f"{tally.name}_total" if tally.kind == "counter" else tally.name]


def render_page(text: str) -> str:
    """Put the tables between their marks.

    Args:
        text: The page as it is.

    Returns:
        The page as it is to be.
    """
    for name, tallies in list_tallies().items():
        start, end = f"<!-- metrics: {name} -->", f"<!-- /metrics: {name} -->"
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        rows = ["| metric | type | labels | |", "|---|---|---|---|", *map(_render_row, tallies)]
        text = "\n".join([f"{before}{start}", *rows, f"{end}{after}"])
    return text


def _render_row(tally: Tally) -> str:
    name = tally.name if tally.kind == "histogram" else name_samples(tally)[0]
    labels = ", ".join(f"`{label}`" for label in tally.labels)
    return f"| `{name}` | {tally.kind} | {labels} | {tally.text} |"


if __name__ == "__main__":
    write_page()
