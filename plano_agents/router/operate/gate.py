"""The gate before the pages beside the proxied endpoints: they are loaded when something first asks, and need a key.

The pages are FastAPI's, which takes half a second to load and is seldom asked for; it is loaded on a thread.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.errors import PlanoError
from plano_agents.http.origin import find_peer
from plano_agents.router.operate.admin import is_operators
from plano_agents.router.operate.client_keys import ClientKeys
from plano_agents.router.request.answer import Answer, answer_error
from plano_agents.router.request.surfaces import choose_error_form

INSPECTOR = "/inspector"
"""The page that a browser is led to."""

if TYPE_CHECKING:
    from starlette.responses import Response


class Gate:
    """Lets clients in to the pages.

    Args:
        build_pages: Loads what serves them; called once, on a thread.
        config: Its client keys hold here.
        on_refused: Gets the error's code of every request that is not let in.
    """

    def __init__(
        self,
        build_pages: Callable[[], ASGIApp],
        config: Config,
        *,
        on_refused: Callable[[str], None],
    ) -> None:
        self._build_pages = build_pages
        self._on_refused = on_refused
        self._keys = ClientKeys(config.client_keys, config.limits.allowed_hosts)
        self._pages: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it; there is nothing to start or to stop."""
        if scope["type"] != "http":
            return
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        pages = await self._load()
        if scope["path"] == "/" and scope["method"] == "GET" and "text/html" in dict(headers).get("accept", ""):
            await build_response(Answer(302, {"location": INSPECTOR}, b""))(scope, receive, send)  # a browser
            return
        try:
            if not is_operators(scope["path"]):
                self._keys.let_in(scope["method"], headers, find_peer(scope))
        except PlanoError as error:
            self._on_refused(error.code)
            pages = build_response(answer_error(error, None, choose_error_form(dict(headers))))
        await pages(scope, receive, send)

    async def _load(self) -> ASGIApp:
        if self._pages is None:
            self._pages = asyncio.create_task(asyncio.to_thread(self._build_pages))
        return await asyncio.shield(self._pages)


def build_response(answer: Answer) -> "Response":
    """Build what sends an answer over ASGI."""
    from starlette.responses import Response  # noqa: PLC0415 - slow to import, and loaded with the pages

    return Response(answer.body, answer.status, answer.headers)
