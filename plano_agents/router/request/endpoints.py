"""The proxied endpoints, served directly by the connection that a request came on.

It lets clients in, holds back what is too much, reads the body once, hands it to the service and writes the answer;
when the client leaves, the work ends at once. Nothing here knows what a request says. An answer that broke is left
without its end, which breaks the connection.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from plano_agents.config.model import Config
from plano_agents.errors import (
    PlanoError,
    UnsupportedEncodingError,
)
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.server.exchange import Exchange, Serve
from plano_agents.http.server.last_word import tell_shutdown
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.answer import answer_error
from plano_agents.router.request.begun import Begun
from plano_agents.router.request.fast_path import FastPath
from plano_agents.router.request.fast_service import FastService, Resume, count_fast_turns
from plano_agents.router.request.let_in import LetIn
from plano_agents.router.request.service import Service
from plano_agents.router.request.story import ProxyRequest, Story
from plano_agents.router.request.surfaces import ENDPOINTS, Endpoint
from plano_agents.router.request.writing import check_method, write_answer

RAISE_LIMIT = "Raise limits.max_body_bytes in plano-agents.yaml."
"""The way out of too large a body."""


class ProxiedEndpoints:
    """Serves the proxied endpoints.

    Args:
        service: Answers their requests.
        config: Its limits hold here.
        let_in: Lets a client in.
        admission: Holds back what is too much for this process.
        on_refused: Gets the error's code of every request that does not come to the service.
        upstream: Sends to providers without the service, on the fast path; None where nothing takes that.
        fast_turns: Is what `count_fast_turns` gives, to be counted on; None for counts of its own.
    """

    def __init__(
        self,
        service: Service,
        config: Config,
        let_in: LetIn,
        admission: Admission,
        *,
        on_refused: Callable[[str], None] = lambda _code: None,
        upstream: HttpUpstream | None = None,
        fast_turns: dict[str, int] | None = None,
    ) -> None:
        self._service = service
        self._limits = config.limits
        self._let_in = let_in
        self._on_refused = on_refused
        self._admission = admission
        self._serve: Mapping[str, Serve] = {
            path: partial(self._answer, endpoint) for path, endpoint in ENDPOINTS.items()
        }
        self.fast_path: FastPath | None = None
        """Serves most requests of live sessions; None where nothing takes it."""
        if upstream is not None:
            fast_service = FastService(
                service,
                config.limits,
                admission=admission,
                answer=self._answer,
                upstream=upstream,
                counts=fast_turns if fast_turns is not None else count_fast_turns(),
                on_refused=on_refused,
            )
            self.fast_path = FastPath(fast_service, let_in)

    def find_direct(self, path: str) -> Serve | None:
        """See `plano_agents.http.server.handlers.DirectApp`."""
        return self._serve.get(path)

    async def _answer(self, endpoint: Endpoint, exchange: Exchange, resume: Resume | None = None) -> None:
        """Answer one request; failures are answers too."""
        try:
            if resume is not None:
                request, begun = resume()
            else:
                request, begun = await self._read(endpoint, exchange), None
            told = self._tell(endpoint, exchange, request, begun)
            del request, begun
            await told
        except PlanoError as error:
            self._on_refused(error.code)
            await write_answer(answer_error(error, None, endpoint.surface.encode_error), exchange)
        except asyncio.CancelledError:
            surface = endpoint.surface
            await tell_shutdown(exchange, surface.encode_error, surface.encode_error_event)
            raise

    async def _read(self, endpoint: Endpoint, exchange: Exchange) -> ProxyRequest:
        """Let a client in, read its request, and admit it."""
        admitted = self._let_in(exchange.head.method, exchange.head.headers, exchange.peer)
        check_method(endpoint.path, exchange.head.method, "POST")
        body = await exchange.read_body(self._limits.max_body_bytes, way_out=RAISE_LIMIT)
        self._admission.enter()
        return ProxyRequest(admitted.headers, body, admitted.client)

    async def _tell(self, endpoint: Endpoint, exchange: Exchange, request: ProxyRequest, begun: Begun | None) -> None:
        """Answer a request that was admitted, and give its place back."""
        try:
            if "content-encoding" in request.fields:
                _check_encoding(request.fields["content-encoding"])
            async with Story(self._service, endpoint, request, begun) as answer:
                await write_answer(answer, exchange)
            if exchange.is_paused:
                # Until the client has taken what waits for it, its place is taken; nothing else is kept for it.
                del request, begun, answer
                await exchange.drain()
        finally:
            self._admission.leave()


def _check_encoding(encoding: str) -> None:
    if encoding.lower() != "identity":
        raise UnsupportedEncodingError(
            f"The request body is compressed ({encoding!r}), which is not supported. Send it uncompressed."
        )
