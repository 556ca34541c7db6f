"""A provider on loopback that answers as a test says, and remembers what it was asked."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from plano_agents.testing.answers import Responder, say
from plano_agents.testing.exchange import BrokenOffError, UpstreamExchange, read_exchange

Rule = Callable[[UpstreamExchange], str | None]
"""The words in which a provider refuses a request, or None where it takes it."""


class FakeUpstream:
    """A provider on a real socket, in place of the real one's address.

    It speaks chat completions (``…/chat/completions``), messages (``…/messages``) and responses (``…/responses``), by
    the path of each request. With ``with`` it runs in a thread of its own; with ``async with`` on the running event
    loop, so that answers share events and futures with the test. An exception within an answer, such as a failed
    ``assert``, is raised when the context ends.

    Args:
        answers: Answer the requests in order, the last one again and again; without any, a greeting.
        rule: Refuses, with a 400, what the provider in question would refuse.
        host: The address to listen on.
        tls: The certificate to speak TLS with.

    Example:
        >>> from plano_agents.openai import OpenAI
        >>> from plano_agents.testing import FakeUpstream, say
        >>> with FakeUpstream(say("Hello.")) as upstream, OpenAI(base_url=upstream.url) as client:
        ...     answer = client.chat.completions.create(
        ...         model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]
        ...     )
        >>> answer.choices[0].message.content
        'Hello.'
        >>> [exchange.json["model"] for exchange in upstream.exchanges]
        ['gpt-4o']
    """

    def __init__(
        self,
        *answers: Responder,
        rule: Rule | None = None,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.exchanges: list[UpstreamExchange] = []
        self.connections = 0
        self.url = ""
        self._answers = list(answers) or [say("Hello.")]
        self._rule = rule
        self._host = host
        self._tls = tls
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._failures: list[Exception] = []

    @property
    def affinity_ids(self) -> list[str | None]:
        """The affinity id of each request, in order; None for one that came without."""
        return [exchange.affinity_id for exchange in self.exchanges]

    def answer_with(self, *answers: Responder) -> None:
        """Give other answers from now on: in order, the last one again and again."""
        self._answers = list(answers)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
        host, port = self._server.sockets[0].getsockname()[:2]
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task, writer in self._open.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        if error is None and self._failures:
            raise self._failures[0]

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-upstream", daemon=True)
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self.__aenter__(), self._loop).result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self.__aexit__(kind, error, trace), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                exchange = await read_exchange(reader, writer)
                await self._answer(exchange)
                if exchange.headers.get("connection", "").lower() == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError, BrokenOffError):
            pass  # the client left, or the answer was to end here
        except Exception as failure:  # noqa: BLE001 - raised where the context ends
            self._failures.append(failure)
        finally:
            writer.close()

    async def _answer(self, exchange: UpstreamExchange) -> None:
        self.exchanges.append(exchange)
        refusal = self._rule(exchange) if self._rule is not None else None
        if refusal is not None:
            await exchange.fail(400, refusal)
            return
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await answer(exchange)
