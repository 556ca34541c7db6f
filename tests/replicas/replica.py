"""A replica whose routing a referee in the test's process follows: it may go on when the referee says so.

Run as ``python replica.py NAME CONFIG REFEREE_PORT``. All but the strategy is what ``plano-agents up`` runs.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from plano_agents import processes
from plano_agents.cli.up import describe
from plano_agents.config.load import load_config
from plano_agents.config.model import Preference
from plano_agents.http.client.client import HttpUpstream
from plano_agents.router.app import Router
from plano_agents.routing.strategy import Ranking
from plano_agents.routing.text import Utterance
from plano_agents.sessions.build import build_store


class Refereed:
    """Takes the preference whose number a request ends with, once the referee lets it.

    Args:
        name: The replica's.
        port: Where the referee listens.
    """

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        """See `Strategy.rank`."""
        affinity_id, number = conversation[-1].text.split()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"{self._name} {affinity_id}\n".encode())
        await reader.read()
        writer.close()
        return Ranking("refereed", preferences[int(number)])

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """Nothing is to be loaded."""


async def serve(name: str, path: Path, referee_port: int) -> None:
    """Serve until told to stop."""
    config = load_config(path, environ=os.environ)
    listener = processes.bind("127.0.0.1", 0)
    upstream = HttpUpstream()
    # A machine that is short of processors is not an outage, and outages are not what is raced here.
    store = build_store(config.routing, patience_seconds=30)
    router = Router(config, upstream, store=store, strategy=Refereed(name, referee_port))
    url = processes.url_of(listener)
    try:
        await processes.serve(
            [processes.Site(router, listener)], on_ready=lambda: click.echo(describe(config, url, None))
        )
    finally:
        await router.aclose()
        await upstream.close()


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    processes.run(serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
