"""The common part of all requests on the fast path under one configuration."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Protocol

from plano_agents.config.options import Limits
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.last_word import tell_shutdown
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.begun import Begun
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest
from plano_agents.router.request.surfaces import Endpoint

Resume = Callable[[], tuple[ProxyRequest, Begun]]
"""Gives what was read and begun of a request, which has its place among those in flight."""


class Answer(Protocol):
    """Answers a request by its story."""

    def __call__(
        self, endpoint: Endpoint, exchange: Exchange, resume: Resume | None = None
    ) -> Coroutine[None, None, None]:
        """Answer from the beginning, or go on with what was begun."""


class FastService:
    """The parts that serve requests on the fast path.

    Args:
        service: What they are answered with; nothing is traced there.
        limits: How long a body may be.
        admission: Counts the requests in flight.
        answer: Answers a request by its story.
        upstream: Sends to providers.
        on_refused: Gets the error's code of an answer that there is no room for.
    """

    def __init__(
        self,
        service: Service,
        limits: Limits,
        *,
        admission: Admission,
        answer: Answer,
        upstream: HttpUpstream,
        on_refused: Callable[[str], None],
    ) -> None:
        self.service = service
        self.admission = admission
        self.upstream = upstream
        self.on_refused = on_refused
        self.loop = asyncio.get_running_loop()
        self.max_body_bytes = limits.max_body_bytes
        """How long a body may be."""
        self.is_over = False
        """Whether another configuration is served now."""
        self.counts = {"finished": 0, "before the pin": 0, "at the pin": 0, "at the provider": 0}
        """The number of requests that were finished here, and of those handed over at each point."""
        self._answer = answer

    def start_story(self, endpoint: Endpoint, exchange: Exchange, resume: Resume | None = None) -> None:
        """Have a request answered by its story, from the beginning, or as it was begun."""
        exchange.start(partial(self._answer, endpoint, resume=resume), self.loop)

    def start_last_word(self, endpoint: Endpoint, exchange: Exchange) -> None:
        """Tell a client that its request will not be finished, for the server stops."""
        surface = endpoint.surface

        def tell(exchange: Exchange) -> Coroutine[None, None, None]:
            return tell_shutdown(exchange, surface.encode_error, surface.encode_error_event)

        exchange.start(tell, self.loop)
