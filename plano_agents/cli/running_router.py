"""A running router, asked by an operator: its address, its admin token, and what goes wrong in plain words."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import click

from plano_agents.errors import AuthenticationError, ConfigError, EndpointNotFoundError
from plano_agents.http_syntax import is_header_value, split_address
from plano_agents.integrations.router_address import VARIABLES, name_url

DEFAULT_URL = "http://127.0.0.1:12000"
PAGE = 500
TIMEOUT_SECONDS = 10.0

_SCHEMES = frozenset({"http", "https"})

_NO_CLIENT_KEY = ("A client key", "A valid client key")
"""How the messages of routers that ask for a client key begin."""
Session = dict[str, Any]
"""A session as the router's JSON has it."""


class NotServedError(click.ClickException):
    """A router, of an older version, does not serve the endpoint that was asked for."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, for the admin token would go along to wherever it leads."""

    def redirect_request(self, *_arguments: object) -> None:
        """Leave it to be reported as it is."""


@dataclass(frozen=True, slots=True)
class Router:
    """A running router, as an operator reaches it."""

    url: str
    """Its address, with or without ``/v1``."""
    token: str | None = field(repr=False)
    """The admin token."""

    def ask(self, method: str, affinity_id: str | None = None, **params: str | int | None) -> dict[str, Any]:
        """Ask about a session, or all.

        Raises:
            click.ClickException: It cannot be reached, or refuses.
        """
        if affinity_id is None:
            return self.send(method, "/affinity", needed="sessions", **params)
        return self.send(method, f"/affinity/{_encode(affinity_id)}", needed="affinity_id", **params)

    def send(self, method: str, path: str, *, needed: str, **params: str | int | None) -> dict[str, Any]:
        """Ask an operators' endpoint.

        Args:
            method: The HTTP method.
            path: The endpoint's path, encoded.
            needed: A field that every answer of it has.
            params: The query's parameters; None leaves one out.

        Raises:
            NotServedError: The router has no such endpoint.
            click.ClickException: It cannot be reached, or refuses.
        """
        if split_address(self.url, _SCHEMES) is None:
            raise click.ClickException(f"{name_url(self.url)!r} is not an address. Write one such as {DEFAULT_URL}.")
        query = urllib.parse.urlencode(
            {name: value for name, value in params.items() if value is not None}, errors="surrogateescape"
        )
        base = self.url.rstrip("/").removesuffix("/v1")
        request = urllib.request.Request(f"{base}{path}?{query}", method=method)  # noqa: S310 - checked above
        if self.token:
            if not is_header_value(self.token):
                raise click.ClickException(
                    "The admin token cannot go into an HTTP header. Give it as visible ASCII, without a line end."
                )
            request.add_header("Authorization", f"Bearer {self.token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return _read(answer.read(), base, needed=needed)
        except urllib.error.HTTPError as error:
            raise _explain(error.read(), error.code, base, has_token=bool(self.token)) from None
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(
                f"No router answers at {name_url(base)} ({explain_failure(error)}). Start one with 'plano-agents up', or name it with --url."
            ) from None

    def list(self, limit: int | None, **filters: str | None) -> Iterator[tuple[Session, bool]]:
        """List sessions, page by page; each with whether it is one replica's word only.

        Args:
            limit: How many at most; None for all.
            filters: What the endpoint filters by.
        """
        cursor: str | None = None
        left = limit
        while True:
            wanted = PAGE if left is None else min(left, PAGE)
            page = self.ask("GET", limit=wanted, cursor=cursor, **filters)
            for session in page["sessions"]:
                yield session, page.get("degraded") is not None
            cursor = page["next"]
            left = None if left is None else left - len(page["sessions"])
            if cursor is None or left == 0:
                return


def router_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what every command here needs to reach a router."""

    @click.option(
        "--url",
        envvar=VARIABLES,
        default=find_url,
        show_default=f"where ./config.yaml listens, else {DEFAULT_URL}",
        help="The router's address.  [env: PLANO_BASE_URL, PLANO_URL]",
    )
    @click.option(
        "--token",
        envvar="PLANO_ADMIN_TOKEN",
        help="The router's admin_token; better in the environment, where others cannot see it.  "
        "[env: PLANO_ADMIN_TOKEN]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, as the router answers.")
    @wraps(command)
    def with_router(url: str, token: str | None, **options: Any) -> None:  # noqa: ANN401 - click's own
        command(router=Router(url, token), **options)

    return with_router


def find_url() -> str:
    """Find where a router on the ``config.yaml`` here listens; `DEFAULT_URL` where that says nothing."""
    from plano_agents.cli.first_config import DEFAULT_PATH  # noqa: PLC0415 - only where no address is given
    from plano_agents.config.files import read_text  # noqa: PLC0415
    from plano_agents.config.plano import parse_config  # noqa: PLC0415

    try:
        listener = parse_config(read_text(DEFAULT_PATH, ""), source="", environ={}, offline=True).listener
    except ConfigError:
        return DEFAULT_URL
    host = "127.0.0.1" if listener.host in {"0.0.0.0", "::"} else listener.host  # noqa: S104 - what it listens on
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.port}" if listener.port else DEFAULT_URL


def explain_failure(error: Exception) -> str:
    """Word why nothing answers, without the number that the system gives the reason."""
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason)


def escape(text: str) -> str:
    """Write what a terminal would act on as an escape: tenants are whatever clients send."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _encode(affinity_id: str) -> str:
    """Encode every byte that could mean something in a path, dots included."""
    return urllib.parse.quote(affinity_id, safe="", errors="surrogateescape").replace(".", "%2E")


def _read(body: bytes, base: str, *, needed: str) -> dict[str, Any]:
    """Read a router's answer; whatever has not the field that it needs is told to be none."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict) or needed not in found:
        raise click.ClickException(
            f"What answers at {name_url(base)} is not a plano-agents router. Name it with --url."
        )
    return found


def asks_for_client_key(body: bytes) -> bool:
    """Find whether a router refused a request because it had no valid client key.

    Args:
        body: The answer's body.
    """
    try:
        error = json.loads(body)["error"]
        return bool(error["code"] == AuthenticationError.code) and str(error["message"]).startswith(_NO_CLIENT_KEY)
    except (ValueError, KeyError, TypeError):
        return False


def _explain(body: bytes, status: int, base: str, *, has_token: bool) -> click.ClickException:
    """Take the router's own words; another program that answered is named."""
    try:
        error = json.loads(body)["error"]
        message, code = str(error["message"]), error["code"]
    except (ValueError, KeyError, TypeError):
        return click.ClickException(
            f"What answers at {name_url(base)} is not a plano-agents router (status {status}). Name it with --url."
        )
    if asks_for_client_key(body):
        return NotServedError(escape(message))  # what operators may ask for asks for no client key
    if code == AuthenticationError.code:
        return click.ClickException(
            f"The router asks for its admin token{', and this is not it' if has_token else ''}. Put it into PLANO_ADMIN_TOKEN."
        )
    if code == EndpointNotFoundError.code:
        return NotServedError(escape(message))
    return click.ClickException(escape(message))
