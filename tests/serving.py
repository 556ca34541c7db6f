"""An application served in a thread of its own, for tests that are not asynchronous."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from plano_agents import processes


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application by the server that ships; gives its address."""
    listener = processes.bind("127.0.0.1", 0)
    stop = asyncio.Event()

    async def serve() -> None:
        async with processes.running([processes.Site(app, listener, grace_seconds=1)]):
            await stop.wait()

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=runner.run, args=[serve()])
        thread.start()  # connections made before the server is up wait in the backlog
        try:
            yield processes.url_of(listener)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
