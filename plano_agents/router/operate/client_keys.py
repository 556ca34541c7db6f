"""Access to the router: clients that bring one of the configured keys.

Where there are none, everybody may but pages of other sites (`http.origin`).
"""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from plano_agents.errors import AuthenticationError
from plano_agents.http.origin import KeylessDoor

Header = tuple[str, str]
"""A header's name, in lower case, and its value."""


class ClientKeys:
    """The keys that clients present, as ``Authorization: Bearer`` or ``x-api-key``.

    Args:
        keys: Those that are known; none means that no key is asked for.
        allowed_hosts: Names that the router goes by, where no key is asked for.
    """

    def __init__(self, keys: Sequence[SecretStr], allowed_hosts: Sequence[str] = ()) -> None:
        self._keys = [key.get_secret_value().encode() for key in keys]
        self._door = KeylessDoor(allowed_hosts)

    def let_in(self, method: str, headers: Sequence[Header], peer: str | None) -> Sequence[Header]:
        """Let a client in.

        Args:
            method: The request's method.
            headers: Its headers.
            peer: The address that it came from.

        Returns:
            The same without those that hold the client's key: they are for the router and go no further.

        Raises:
            AuthenticationError: Keys are asked for, and none that is known was given.
            ForeignHostError: None is, and the request was addressed to another host.
            ForeignPageError: None is, and a page of another site sent the request.
            UnsupportedMediaTypeError: None is, and the body is not declared as JSON.
        """
        if not self._keys:
            self._door.check(method, dict(headers), peer)
            return headers
        names = {name for name, value in headers if self._is_key(name, value)}
        if not names:
            raise AuthenticationError(
                "A client key is needed and none that is known was given. Send 'Authorization: Bearer <key>', or "
                "'x-api-key: <key>', with one of client_keys."
            )
        return [header for header in headers if header[0] not in names]

    def _is_key(self, name: str, value: str) -> bool:
        if name == "authorization" and value[:7].lower() == "bearer ":
            return self._is_known(value[7:])
        return name == "x-api-key" and self._is_known(value)

    def _is_known(self, given: str) -> bool:
        """Compare with every key, in a time that says nothing of which came close."""
        matches = [hmac.compare_digest(given.encode("latin-1"), key) for key in self._keys]
        return any(matches)
