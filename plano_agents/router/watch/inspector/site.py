"""``/inspector``: the page's files for everybody, for they tell nothing, and its answers for operators alone.

Who is an operator is `router.operate.admin`'s rule, the same as for ``/affinity``: on this machine, or with the admin
token. So a page can be opened wherever the router is reached, and asks for the token where one is set; what it shows
comes under ``/inspector/api``. All files are ours, and the browser is told to load nothing else (Content Security
Policy, level 3). Nothing is changed here; a session is dropped at ``/affinity``, which no other site's page can ask
for.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

import plano_agents
from plano_agents.config.model import Config
from plano_agents.config.options import CostSource
from plano_agents.errors import EndpointNotFoundError, MethodNotAllowedError, PlanoError
from plano_agents.http.origin import find_peer
from plano_agents.http.server.departure import while_connected
from plano_agents.router.request.answer import StreamBrokenError
from plano_agents.router.watch.inspector.history import MAX_RECORDS, MAX_SESSIONS, MAX_TURNS
from plano_agents.router.watch.inspector.seam import Inspector, Question, Reply, closing, refuse

PATH = "/inspector"
"""Where the page is."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the page may load and do."""

_METHODS = ("GET", "HEAD")
_API = f"{PATH}/api/"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOLDER = Path(__file__).with_name("page")
_INDEX = "index.html"


CheckOperator = Callable[[Iterable[tuple[str, str]], str | None, str], None]
"""Takes a request's headers, peer and HTTP version; raises the refusal."""


class InspectorSite:
    """Serves the inspector and leaves the rest to another application.

    Args:
        app: Serves every other path.
        inspector: Knows what is to be shown.
        config: Its models and preferences are named.
        check_operator: Lets an operator in to the answers.
    """

    def __init__(
        self, app: ASGIApp, inspector: Inspector, config: Config, check_operator: CheckOperator
    ) -> None:
        self._app = app
        self._inspector = inspector
        self._config = config
        self._check_operator = check_operator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event, as ASGI has it."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not (path == PATH or path.startswith(f"{PATH}/")):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            reply = await self._answer(path, scope, headers)
        except PlanoError as error:
            reply = refuse(error)
        async with closing(reply):
            await while_connected(receive, _send(reply, send))

    async def _answer(self, path: str, scope: Scope, headers: Mapping[str, str]) -> Reply:
        if scope["method"] not in _METHODS:
            taken = ", ".join(_METHODS)
            raise MethodNotAllowedError(f"{path[:80]} takes GET; got {scope['method']}.", allow=taken)
        if path.startswith(_API):
            return await self._ask(path.removeprefix(_API), scope, headers)
        return _show(path, headers.get("if-none-match"))

    async def _ask(self, name: str, scope: Scope, headers: Mapping[str, str]) -> Reply:
        self._check_operator(headers.items(), find_peer(scope), scope["http_version"])
        if name == "router":
            return self._introduce()
        parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        return await self._inspector.ask(Question(name, parameters, headers.get("last-event-id")))

    def _introduce(self) -> Reply:
        """Say which router this is, and what is remembered at most."""
        config = self._config
        content = {
            "version": plano_agents.__version__,
            "models": [model.name for model in config.models],
            "preferences": [each.name for each in config.preferences],
            "has_tenants": config.routing.session_cache.tenant_header is not None,
            "is_shared": config.routing.session_cache.is_shared,
            "has_prices": any(isinstance(source, CostSource) for source in config.metrics_sources),
            "workers": self._inspector.workers,
            "max_sessions": MAX_SESSIONS,
            "max_turns": MAX_TURNS,
            "max_records": MAX_RECORDS,
        }
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return Reply(200, headers, json.dumps(content).encode())


async def _send(reply: Reply, send: Send) -> None:
    """Send an answer, whole or as it comes; one that broke is left without its end, which breaks the connection."""
    whole = reply.body if isinstance(reply.body, bytes) else None
    headers = {**reply.headers, **({"content-length": str(len(whole))} if whole is not None else {})}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    if isinstance(reply.body, bytes):
        await send({"type": "http.response.body", "body": reply.body})
        return
    try:
        async for piece in reply.body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except StreamBrokenError:
        return
    await send({"type": "http.response.body", "body": b""})


def _show(path: str, known: str | None) -> Reply:
    """Give one of the page's files."""
    if path == f"{PATH}/":
        return Reply(308, {"location": f"..{PATH}"}, b"")
    file = _load_files().get(path.removeprefix(PATH).removeprefix("/") or _INDEX)
    if file is None:
        raise EndpointNotFoundError(f"{path[:80]!r} is no file of the inspector's page.")
    if known is not None and known == file.headers["etag"]:
        return Reply(304, file.headers, b"")
    return file


@cache
def _load_files() -> Mapping[str, Reply]:
    """Read the page's files, once."""
    return {path.name: _load_file(path) for path in _FOLDER.iterdir() if path.suffix in _TYPES}


def _load_file(path: Path) -> Reply:
    content = path.read_bytes()
    headers = {
        "content-type": _TYPES[path.suffix],
        "etag": f'"{hashlib.sha256(content).hexdigest()[:16]}"',
        "cache-control": "no-cache",
        "content-security-policy": POLICY,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Reply(200, headers, content)
