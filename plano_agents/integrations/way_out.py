# ruff: noqa: ANN401 - options are the SDK's own
"""The SDKs' "Connection error." with the router's address and the way out, and of the same class."""

from typing import Any

from plano_agents.integrations.router_address import name_url


class NamesRouter:
    """Goes before a synchronous client of OpenAI's or Anthropic's SDK, whose base address is a router's."""

    def request(self, *args: Any, **options: Any) -> Any:
        """Send a request as the SDK does.

        Raises:
            Exception: The SDK's own errors; its ``APIConnectionError`` says which router was not reached.
        """
        try:
            return super().request(*args, **options)  # type: ignore[misc] # the SDK's
        except Exception as error:
            named = _name_router(self, error)
            if named is None:
                raise
            raise named from error


class NamesRouterAsync:
    """The same, for asynchronous clients."""

    async def request(self, *args: Any, **options: Any) -> Any:
        """Send a request as the SDK does.

        Raises:
            Exception: The SDK's own errors; its ``APIConnectionError`` says which router was not reached.
        """
        try:
            return await super().request(*args, **options)  # type: ignore[misc] # the SDK's
        except Exception as error:
            named = _name_router(self, error)
            if named is None:
                raise
            raise named from error


def _name_router(client: Any, error: Any) -> Exception | None:
    """Build the error that names the router; None for any other error than that of either SDK's connections."""
    if type(error).__name__ != "APIConnectionError":  # a timeout has a class and a message of its own
        return None
    address = name_url(str(client.base_url).rstrip("/"))
    named: Exception = type(error)(
        message=f"Cannot reach the model router at {address}. Start it with `plano-agents up`, or set PLANO_BASE_URL "
        "(or base_url) to the address of one that runs.",
        request=error.request,
    )
    return named
