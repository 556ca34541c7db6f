"""A harness' requests to a router whose routing changes its mind at every one of them."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from plano_agents.config.model import Config, Preference
from plano_agents.http.client import UpstreamRequest
from plano_agents.router.request.surfaces import MESSAGES, Endpoint
from plano_agents.sessions.pinning import Pinning
from tests.router.conftest import (
    Choose,
    MemoryResponse,
    MemoryUpstream,
    Seen,
    ask,
    build_model,
    build_pinning,
    build_service,
)
from tests.router.raw_client import COMPLETION

ONE, TWO, SMALL, CLAUDE = "openai/one", "openai/two", "openai/small", "anthropic/claude-sonnet-4-6"
MAIN_MODEL = "claude-opus-9"
"""What the harness asks for, and nobody configured."""

FIRST, RETAINED = "initialize; reason=first_turn", "retain; reason=pinned"
SESSION = ("x-claude-code-session-id", "s-1")
AGENT = ("x-claude-code-agent-id", "a-1")
CONFIG = Config(
    models=tuple(map(build_model, (ONE, TWO, SMALL))),
    preferences=(Preference("one", "the first", (ONE,)), Preference("two", "the second", (TWO,))),
)
HOSTED = {"type": "web_search_20250305", "name": "web_search"}
TOOL = {"name": "read", "input_schema": {"type": "object", "properties": {}}}
LATE = {"name": "late", "input_schema": {"type": "object", "properties": {}}}

WITH_CLAUDE = replace(
    CONFIG,
    models=tuple(map(build_model, (ONE, CLAUDE))),
    preferences=(Preference("one", "the first", (ONE, CLAUDE)), Preference("two", "the second", (CLAUDE,))),
)
SDK = ("user-agent", "OpenAI/Python 2.8.0")
ANSWERED = MemoryResponse(
    pieces=(
        json.dumps(
            {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "model": "m",
                "content": [{"type": "text", "text": "a"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
        ).encode(),
    )
)


class ByWire(MemoryUpstream):
    """Answers on the wire that it is asked on, but for models that fail."""

    fails: Collection[str] = ()
    """Their ids."""

    async def send(self, request: UpstreamRequest) -> MemoryResponse:
        self.requests.append(request)
        if json.loads(request.body)["model"] in self.fails:
            return MemoryResponse(503)
        return ANSWERED if request.url.endswith("/messages") else MemoryResponse(pieces=(COMPLETION,))


class Harness:
    """A harness' requests, on messages, to a router whose routing changes its mind at every one of them."""

    def __init__(self, config: Config = CONFIG, pinning: Pinning | None = None) -> None:
        self.pinning = pinning or build_pinning()
        self.upstream = ByWire()
        self._strategy = Choose("one")
        self._service = build_service(config, self.upstream, strategy=self._strategy, pinning=self.pinning)

    async def send(
        self,
        *headers: tuple[str, str],
        model: str | None = MAIN_MODEL,
        tools: list[dict[str, Any]] | None = None,
        endpoint: Endpoint = Endpoint(MESSAGES),  # noqa: B008 - frozen
        **fields: object,
    ) -> Seen:
        """Send a request; without tools where none are given."""
        body = {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 9, **fields}
        body |= {"model": model} if model is not None else {}
        body |= {"tools": tools} if tools is not None else {}
        seen = await ask(self._service, json.dumps(body).encode(), *(headers or (SESSION,)), endpoint=endpoint)
        self._strategy.name = "two" if self._strategy.name == "one" else "one"
        return seen

    async def ask(self, *headers: tuple[str, str], **fields: Any) -> tuple[str, str]:  # noqa: ANN401 - the test names fields
        """Send a request; its model and the decision."""
        seen = await self.send(*headers, **fields)
        assert seen.status == 200, seen.body
        return seen.headers["x-plano-model"], seen.headers["x-plano-affinity"]

    async def ask_main(self, *headers: tuple[str, str], **fields: Any) -> tuple[str, str]:  # noqa: ANN401 - the test names fields
        return await self.ask(*headers, **{"tools": [TOOL], **fields})
