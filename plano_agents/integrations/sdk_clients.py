# ruff: noqa: ANN401 - options are the SDK's own
"""The parts that the clients of `plano_agents.openai` and `plano_agents.anthropic` share.

The SDKs offer a hook that sees every request before it is sent, retries included. The id is, in this order: what the
call's ``extra_headers`` say, the client's own, the scope's that the request is sent in.
"""

import os
from typing import Any, Self

from plano_agents.affinity import current_affinity_id, parse_affinity_id
from plano_agents.integrations.plano_headers import add_affinity_header
from plano_agents.integrations.router_address import DEFAULT_BASE_URL, build_base_url
from plano_agents.trace_context import add_trace_headers

_NO_KEY = "no-key"


def find_base_url(given: object) -> str:
    """Find the router: what is given, else ``PLANO_BASE_URL``, else the default; ``/v1`` included.

    Raises:
        ValueError: It is no address.
    """
    return build_base_url(str(given or os.environ.get("PLANO_BASE_URL") or DEFAULT_BASE_URL))


def find_api_key(given: Any) -> Any:
    """Find the router's client key: what is given, else ``PLANO_API_KEY``, else a placeholder; never a provider's."""
    return given or os.environ.get("PLANO_API_KEY") or _NO_KEY


class AffinityClient:
    """A client with an affinity id of its own; goes before an SDK's class."""

    affinity_id: str | None = None
    """The id of requests that name none themselves; it outranks the scope."""

    def _settle(self, affinity_id: str | None, default_headers: Any) -> None:
        """Take the id, and leave out the headers that the environment holds for the provider's own service."""
        self.affinity_id = None if affinity_id is None else parse_affinity_id(affinity_id)
        self._custom_headers = default_headers or {}

    def copy(self, *, affinity_id: str | None = None, **options: Any) -> Self:
        """Make a client like this one.

        Args:
            affinity_id: The new client's id; this one's if not given.
            options: What else differs, as the SDK's ``copy`` takes it.
        """
        extra = {"affinity_id": affinity_id or self.affinity_id, **options.pop("_extra_kwargs", {})}
        copied: Self = super().copy(**options, _extra_kwargs=extra)  # type: ignore[misc] # the SDK's
        return copied

    with_options = copy

    def _name(self, request: Any) -> None:
        add_affinity_header(request.headers, self.affinity_id or current_affinity_id())
        add_trace_headers(request.headers)


class SyncAffinityClient(AffinityClient):
    """The same, for synchronous clients."""

    def _prepare_options(self, options: Any) -> Any:
        return _stay_at_router(super()._prepare_options(options))  # type: ignore[misc] # the SDK's

    def _prepare_request(self, request: Any) -> None:
        super()._prepare_request(request)  # type: ignore[misc] # the SDK's
        self._name(request)


class AsyncAffinityClient(AffinityClient):
    """The same, for asynchronous clients."""

    async def _prepare_options(self, options: Any) -> Any:
        return _stay_at_router(await super()._prepare_options(options))  # type: ignore[misc] # the SDK's

    async def _prepare_request(self, request: Any) -> None:
        await super()._prepare_request(request)  # type: ignore[misc] # the SDK's
        self._name(request)


def _stay_at_router(options: Any) -> Any:
    """Follow no redirect: where it leads, nobody was meant to see the id or the prompt."""
    options.follow_redirects = False
    return options
