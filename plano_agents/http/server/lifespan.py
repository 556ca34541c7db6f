"""The lifespan of an ASGI application: what it opens before its first request, and closes after the last."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message

from plano_agents.errors import ConfigError


class Lifespan:
    """The lifespan of one application; one that raises or returns before it answers has none.

    Args:
        app: The application.
        state: What it leaves there is in the scope of its requests.
    """

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state
        self._asked: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have the application open what it needs.

        Raises:
            ConfigError: It says that it cannot.
            Exception: What it raised meanwhile.
        """
        self._task = asyncio.create_task(self._run())
        await self._ask("lifespan.startup")

    async def stop(self) -> None:
        """Have the application close what it opened; see `start` for what it raises."""
        if self._task is not None and not self._task.done():
            await self._ask("lifespan.shutdown")

    async def _ask(self, step: str) -> None:
        self._asked.put_nowait({"type": step})
        answer = await self._answers.get()
        if answer["type"] == f"{step}.failed":
            if self._task is not None:
                await self._task  # which raises the reason, if there is one
            raise ConfigError(f"The application answered {step}.failed: {answer.get('message', '')}")

    async def _run(self) -> None:
        has_answered = False

        async def send(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            self._answers.put_nowait(message)

        version = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": version, "state": self._state}
        try:
            await self._app(scope, self._asked.get, send)
        except Exception:
            if has_answered:
                raise
        finally:
            self._answers.put_nowait({"type": "ended"})
