"""Access to the router: clients that bring one of the configured keys.

Where there are none, everybody may but pages of other sites (`http.origin`). A key is looked up by its hash, so that
the time says nothing of which came close.
"""

from collections.abc import Sequence

from plano_agents.config.client_keys import ClientKey
from plano_agents.config.key_hashes import PREFIX, digest
from plano_agents.errors import AuthenticationError
from plano_agents.http.origin import KeylessDoor
from plano_agents.http_syntax import Header
from plano_agents.router.request.let_in import Admitted


class ClientKeys:
    """The keys that clients present, as ``Authorization: Bearer`` or ``x-api-key``.

    Args:
        keys: Those that are known; none means that no key is asked for.
        allowed_hosts: Names that the router goes by, where no key is asked for.
    """

    def __init__(self, keys: Sequence[ClientKey], allowed_hosts: Sequence[str] = ()) -> None:
        self._names = {key.hash.get_secret_value().removeprefix(PREFIX): key.name for key in keys}
        self._door = KeylessDoor(allowed_hosts)

    def let_in(self, method: str, headers: Sequence[Header], peer: str | None) -> Admitted:
        """Let a client in.

        Args:
            method: The request's method.
            headers: Its headers.
            peer: The address that it came from.

        Raises:
            AuthenticationError: Keys are asked for, and none that is known was given.
            ForeignHostError: None is, and the request was addressed to another host.
            ForeignPageError: None is, and a page of another site sent the request.
            UnsupportedMediaTypeError: None is, and the body is not declared as JSON.
        """
        if not self._names:
            self._door.check(method, dict(headers), peer)
            return Admitted(headers, "")
        clients = {name: client for name, value in headers if (client := self._find(name, value)) is not None}
        if not clients:
            raise AuthenticationError(
                "A valid client key is required. Send 'Authorization: Bearer <key>', or "
                "'x-api-key: <key>', with one of client_keys."
            )
        return Admitted([header for header in headers if header[0] not in clients], min(clients.items())[1])

    def _find(self, name: str, value: str) -> str | None:
        """Find the name of the key that a header holds; None where it holds none."""
        if name == "authorization" and value[:7].lower() == "bearer ":
            return self._names.get(digest(value[7:]))
        return self._names.get(digest(value)) if name == "x-api-key" else None
