# ruff: noqa: ANN401 - options are the SDK's own
"""The parts that the clients of `plano_agents.openai` and `plano_agents.anthropic` share.

The SDKs offer a hook that sees every request before it is sent, retries included. The id is, in this order: what the
call's ``extra_headers`` say, the client's own, the scope's that the request is sent in.
"""

import os
from typing import Any, Self

from plano_agents.affinity import current_affinity_id, parse_affinity_id
from plano_agents.integrations.plano_headers import add_affinity_header
from plano_agents.integrations.router_address import DEFAULT_BASE_URL, build_base_url, find_router
from plano_agents.integrations.way_out import NamesRouter, NamesRouterAsync
from plano_agents.trace_context import add_trace_headers

_NO_KEY = "no-key"


class AffinityClient:
    """A client with an affinity id of its own; goes before an SDK's class, whose arguments it passes on.

    Args:
        base_url: The router's address; else ``PLANO_BASE_URL``, else the default.
        api_key: The router's client key; else ``PLANO_API_KEY``, else a placeholder; never a provider's.
        affinity_id: The id of requests that name none themselves.
        options: What else the SDK's class takes.

    Raises:
        ValueError: ``base_url`` is not an address.
        InvalidAffinityIdError: ``affinity_id`` breaks the id rules.
    """

    _base_path = "/v1"
    """What the SDK's own address ends with."""
    _account_options: tuple[str, ...] = ()
    """The options that name an account of the provider's; the environment's are not sent to a router."""
    affinity_id: str | None
    """The id of requests that name none themselves; it outranks the scope."""

    def __init__(
        self, *, base_url: Any = None, api_key: Any = None, affinity_id: str | None = None, **options: Any
    ) -> None:
        address = build_base_url(str(base_url or find_router() or DEFAULT_BASE_URL))
        super().__init__(  # type: ignore[call-arg] # the SDK's
            base_url=address.removesuffix("/v1") + self._base_path,
            api_key=api_key or os.environ.get("PLANO_API_KEY") or _NO_KEY,
            **options,
        )
        self.affinity_id = None if affinity_id is None else parse_affinity_id(affinity_id)
        # The environment's headers are for the provider's own service.
        self._custom_headers = options.get("default_headers") or {}
        for name in self._account_options:
            setattr(self, name, options.get(name))

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


class SyncAffinityClient(AffinityClient, NamesRouter):
    """The same, for synchronous clients."""

    def _prepare_options(self, options: Any) -> Any:
        return _stay_at_router(super()._prepare_options(options))  # type: ignore[misc] # the SDK's

    def _prepare_request(self, request: Any) -> None:
        super()._prepare_request(request)  # type: ignore[misc] # the SDK's
        self._name(request)


class AsyncAffinityClient(AffinityClient, NamesRouterAsync):
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
