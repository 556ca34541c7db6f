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
from functools import cache, partial
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import plano_agents
from plano_agents.config.model import Config
from plano_agents.config.options import CostSource
from plano_agents.errors import EndpointNotFoundError
from plano_agents.http.server.exchange import Exchange, Serve
from plano_agents.router.request.answer import Answer
from plano_agents.router.request.writing import check_method, serve_answer
from plano_agents.router.watch.inspector.history import MAX_RECORDS, MAX_SESSIONS, MAX_TURNS
from plano_agents.router.watch.inspector.seam import Inspector, Question

PATH = "/inspector"
"""Where the page is."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""What the page may load and do."""

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
    """Serves the inspector.

    Args:
        inspector: Knows what is to be shown.
        config: Its models and preferences are named.
        check_operator: Lets an operator in to the answers.
        has_prices: Whether a model's prices are known.
        settle: Has requests remembered that are over, before a question is asked.
    """

    def __init__(
        self,
        inspector: Inspector,
        config: Config,
        check_operator: CheckOperator,
        *,
        has_prices: bool,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._inspector = inspector
        self._config = config
        self._check_operator = check_operator
        self._has_prices = has_prices
        self._settle = settle

    def find_direct(self, path: str) -> Serve | None:
        """See `plano_agents.http.server.handlers.DirectApp`."""
        return partial(serve_answer, self._answer) if path == PATH or path.startswith(f"{PATH}/") else None

    async def _answer(self, exchange: Exchange) -> Answer:
        head = exchange.head
        raw, _, query = head.target.partition("?")
        path, headers = unquote(raw), dict(head.headers)
        check_method(path, head.method, "GET", "HEAD")
        if not path.startswith(_API):
            return _show(path, headers.get("if-none-match"))
        self._check_operator(head.headers, exchange.peer, head.http_version)
        name = path.removeprefix(_API)
        if name == "router":
            return self._introduce()
        self._settle()
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        return await self._inspector.ask(Question(name, parameters, headers.get("last-event-id")))

    def _introduce(self) -> Answer:
        """Say which router this is, and what is remembered at most."""
        config = self._config
        content = {
            "version": plano_agents.__version__,
            "models": [model.name for model in config.models],
            "preferences": [each.name for each in config.preferences],
            "has_tenants": config.has_tenants,
            "is_shared": config.routing.session_cache.is_shared,
            "has_prices": any(isinstance(source, CostSource) for source in config.metrics_sources) or self._has_prices,
            "observe": config.routing.observe,
            "workers": self._inspector.workers,
            "max_sessions": MAX_SESSIONS,
            "max_turns": MAX_TURNS,
            "max_records": MAX_RECORDS,
        }
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return Answer(200, headers, json.dumps(content).encode())


def _show(path: str, known: str | None) -> Answer:
    """Give one of the page's files."""
    if path == f"{PATH}/":
        return Answer(308, {"location": f"..{PATH}"}, b"")
    file = _load_files().get(path.removeprefix(PATH).removeprefix("/") or _INDEX)
    if file is None:
        raise EndpointNotFoundError(f"{path[:80]!r} is not a file of the inspector's page.")
    if known is not None and known == file.headers["etag"]:
        return Answer(304, file.headers, b"")
    return file


@cache
def _load_files() -> Mapping[str, Answer]:
    """Read the page's files, once."""
    return {path.name: _load_file(path) for path in _FOLDER.iterdir() if path.suffix in _TYPES}


def _load_file(path: Path) -> Answer:
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
    return Answer(200, headers, content)
