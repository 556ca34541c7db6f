"""The gate before the pages beside the proxied endpoints: access, and health before the rest is loaded.

The pages are FastAPI's, which takes half a second to load and is seldom asked for; it is loaded, on a thread, when
something first asks. ``/healthz`` and ``/readyz``, which orchestrators poll from the start, are answered here.
"""

import asyncio
from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.errors import PlanoError
from plano_agents.http.health_page import ALIVE, HEALTH_PATH
from plano_agents.http.origin import find_peer
from plano_agents.router.operate.admin import is_operators
from plano_agents.router.operate.client_keys import ClientKeys
from plano_agents.router.request.answer import Answer, answer_error
from plano_agents.router.request.surfaces import choose_error_form

HEALTH = {HEALTH_PATH: ALIVE, "/readyz": {"status": "ready"}}
"""What answers without a client key, and how where all is well."""
LOADING = {"status": "loading"}
"""How ``/readyz`` answers, with a 503, until what routing needs is loaded."""


class Gate:
    """Lets clients in to the pages.

    Args:
        build_pages: Loads what serves them; called once, on a thread.
        config: Its client keys hold here.
        is_ready: Tells whether requests may be sent here.
        on_refused: Gets the error's code of every request that is not let in.
    """

    def __init__(
        self,
        build_pages: Callable[[], ASGIApp],
        config: Config,
        *,
        is_ready: Callable[[], bool],
        on_refused: Callable[[str], None],
    ) -> None:
        self._build_pages = build_pages
        self._is_ready = is_ready
        self._on_refused = on_refused
        self._keys = ClientKeys(config.client_keys, config.limits.allowed_hosts)
        self._pages: asyncio.Task[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it; there is nothing to start or to stop."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path in HEALTH and scope["method"] in {"GET", "HEAD"}:
            well = path != "/readyz" or self._is_ready()
            body = msgspec.json.encode(HEALTH[path] if well else LOADING)
            await _send(Answer(200 if well else 503, {"content-type": "application/json"}, body), send)
            return
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
        try:
            if path not in HEALTH and not is_operators(path):
                self._keys.let_in(scope["method"], headers, find_peer(scope))
        except PlanoError as error:
            self._on_refused(error.code)
            encode = choose_error_form(dict(headers))
            await _send(answer_error(error, None, encode), send)
            return
        pages = await self._load()
        await pages(scope, receive, send)

    async def _load(self) -> ASGIApp:
        if self._pages is None:
            self._pages = asyncio.create_task(asyncio.to_thread(self._build_pages))
        return await asyncio.shield(self._pages)


async def _send(answer: Answer, send: Send) -> None:
    assert isinstance(answer.body, bytes), "these are whole"  # noqa: S101 - cannot happen
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})
