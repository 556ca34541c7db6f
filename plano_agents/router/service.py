"""A request's whole story: check, decide, send, translate, answer.

No HTTP server and no socket is known here: requests come in as headers and bytes, go out through `Upstream`, and
come back as `Answer`. Which model serves is decided by ``sessions`` and ``routing``; how a wire reads is known to
``protocol``.
"""

import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER, parse_affinity_id
from plano_agents.config.model import Config, Model, Preference
from plano_agents.errors import InvalidAffinityIdError, ModelNotFoundError, PlanoError, RequestError
from plano_agents.protocol import openai_chat, sse
from plano_agents.protocol.translation.chat_to_messages import encode_messages_request
from plano_agents.protocol.translation.messages_to_chat import (
    ChatStreamEncoder,
    encode_completion,
    encode_upstream_error,
)
from plano_agents.providers.registry import Wire
from plano_agents.providers.target import Target, build_request_headers, build_target
from plano_agents.router.answer import (
    Answer,
    StreamBrokenError,
    Trail,
    answer_error,
    build_headers,
    pass_back,
)
from plano_agents.router.upstream import Upstream, UpstreamRequest, UpstreamResponse
from plano_agents.routing.strategy import Strategy
from plano_agents.routing.text import read_conversation
from plano_agents.sessions.decide import Route, decide_without_session
from plano_agents.sessions.pin import Decision, SessionKey
from plano_agents.sessions.pinning import Pinning

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """A chat request as it came from the client."""

    headers: Sequence[tuple[str, str]] = field(repr=False)
    """In the order they came, names in lower case."""
    body: bytes = field(repr=False)
    """JSON, or what claims to be."""


class ChatService:
    """Serves ``POST /v1/chat/completions``.

    Args:
        config: What is configured.
        strategy: Says which preference a request matches.
        pinning: Keeps the sessions' models; it may outlive this service, as a configuration is exchanged.
        upstream: Sends to providers.
        clock: Monotonic time in seconds.
        wall_clock: Unix time in seconds.

    Raises:
        ConfigError: A configured model cannot be served.
    """

    def __init__(
        self,
        config: Config,
        *,
        strategy: Strategy,
        pinning: Pinning,
        upstream: Upstream,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._strategy = strategy
        self._pinning = pinning
        self._upstream = upstream
        self._clock = clock
        self._wall_clock = wall_clock
        self._targets = {model.name: build_target(model) for model in config.models}

    @asynccontextmanager
    async def answer(self, request: ProxyRequest) -> AsyncIterator[Answer]:
        """Answer one request; leaving the context ends it, whether its body was read or not.

        Args:
            request: The client's request.

        Yields:
            The answer; failures are answers too.
        """
        headers = dict(request.headers)
        trail = Trail(trace_id=_trace_id(headers.get("traceparent", "")))
        async with AsyncExitStack() as stack:
            try:
                answer = await self._handle(request, headers, trail, stack)
            except PlanoError as error:
                answer = answer_error(error, trail)
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
                _log_bug(error, trail)
                answer = answer_error(PlanoError(_bug_message(trail)), trail)
            yield answer

    async def _handle(
        self, request: ProxyRequest, headers: Mapping[str, str], trail: Trail, stack: AsyncExitStack
    ) -> Answer:
        started = self._clock()
        trail.affinity_id = self._find_affinity_id(request.headers)
        head = openai_chat.parse_head(request.body)
        preferences = self._find_preferences(head)
        requested = self._find_requested(head.model)

        async def route() -> Route:
            return await self._route(head, preferences, requested)

        if trail.affinity_id is None:
            trail.decision = decide_without_session(await route())
        else:
            key = SessionKey("", trail.affinity_id)
            await stack.enter_async_context(self._pinning.in_use(key))
            trail.decision = await self._pinning.decide(
                key, hint=headers.get(HINT_HEADER.lower()), find_model=self._find_name, route=route
            )
        trail.routing_ms = (self._clock() - started) * 1000
        return await self._dispatch(request.body, headers, trail, trail.decision, stack)

    def _find_affinity_id(self, headers: Sequence[tuple[str, str]]) -> str | None:
        """Take the affinity id from the first header that carries one."""
        for wanted in (AFFINITY_HEADER.lower(), *self._config.routing.affinity_headers):
            values = [value for name, value in headers if name == wanted]
            if len(values) > 1:
                raise InvalidAffinityIdError(
                    f"The header {wanted} came {len(values)} times; send it once.", param=wanted
                )
            if values:
                return parse_affinity_id(values[0])
        return None

    def _find_requested(self, name: str | None) -> Model:
        """Find the client's own model: the candidate when no route matches."""
        model = self._config.find_model(name) if name is not None else self._config.default_model
        if model is None:
            raise ModelNotFoundError(
                f"The model {name!r} is not configured. Configured are: {', '.join(self._known_names())}."
                if name is not None
                else "No model is named, and the configuration has no default. Send 'model'.",
                param="model",
            )
        return model

    def _known_names(self) -> list[str]:
        return [*(model.name for model in self._config.models), *self._config.aliases]

    def _find_name(self, name: str) -> str | None:
        model = self._config.find_model(name)
        return model.name if model is not None else None

    def _find_preferences(self, head: openai_chat.ChatHead) -> tuple[Preference, ...]:
        """Take the request's own preferences, or else the configured ones."""
        if head.routing_preferences is None:
            return self._config.preferences
        return tuple(
            Preference(given.name, given.description, self._check_candidates(number, given.models))
            for number, given in enumerate(head.routing_preferences)
        )

    def _check_candidates(self, number: int, names: Sequence[str]) -> tuple[str, ...]:
        param = f"routing_preferences[{number}].models"
        if not names:
            raise RequestError(f"{param!r} is empty; name at least one configured model.", param=param)
        found = {name: self._find_name(name) for name in names}
        unknown = next((name for name, model in found.items() if model is None), None)
        if unknown is not None:
            raise ModelNotFoundError(
                f"{param!r} names {unknown!r}, which is not configured. Configured are: "
                f"{', '.join(self._known_names())}.",
                param=param,
            )
        return tuple(model for model in found.values() if model is not None)

    async def _route(
        self, head: openai_chat.ChatHead, preferences: Sequence[Preference], requested: Model
    ) -> Route:
        if not preferences:
            return Route(requested.name, None)
        match = await self._strategy.match(read_conversation(head.messages), preferences)
        if match is None:
            return Route(requested.name, None)
        return Route(match.preference.models[0], match.preference.name)

    async def _dispatch(
        self,
        body: bytes,
        headers: Mapping[str, str],
        trail: Trail,
        decision: Decision,
        stack: AsyncExitStack,
    ) -> Answer:
        """Send the request to the model decided on, and make its answer ours."""
        model = self._config.find_model(decision.model)
        assert model is not None, "a decision names a configured model"  # noqa: S101 - cannot happen
        target = self._target(model)
        foreign = target.wire is Wire.ANTHROPIC_MESSAGES
        encode = encode_messages_request if foreign else openai_chat.replace_model
        request = UpstreamRequest(
            target.url, build_request_headers(target, headers), encode(body, model.model_id)
        )
        started = self._clock()
        response = await stack.enter_async_context(await self._upstream.send(request))
        streamed = response.status < 300 and "text/event-stream" in response.headers.get("content-type", "")  # noqa: PLR2004 - 2xx
        content = None if streamed else await response.read()
        trail.upstream_ms = (self._clock() - started) * 1000
        answer_headers = {**pass_back(response.headers), **build_headers(trail)}
        if content is None:
            encoder = self._stream_encoder(body) if foreign else None
            answer_headers |= {
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-cache",
            }
            return Answer(response.status, answer_headers, _stream(response, encoder, trail))
        if foreign:
            content = self._translate_whole(content, response.status)
            answer_headers["content-type"] = "application/json"
        return Answer(response.status, answer_headers, content)

    def _target(self, model: Model) -> Target:
        return self._targets.get(model.name) or build_target(model)

    def _stream_encoder(self, body: bytes) -> ChatStreamEncoder:
        options = openai_chat.parse_request(body).stream_options
        wanted = options is not None and bool(options.include_usage)
        return ChatStreamEncoder(created=int(self._wall_clock()), include_usage=wanted)

    def _translate_whole(self, content: bytes, status: int) -> bytes:
        if status >= 300:  # noqa: PLR2004 - not 2xx
            return encode_upstream_error(content, status)
        return encode_completion(content, created=int(self._wall_clock()))


async def _stream(
    response: UpstreamResponse, encoder: ChatStreamEncoder | None, trail: Trail
) -> AsyncIterator[bytes]:
    """Pass a stream on, translated where an encoder is given; never end a broken one well."""
    try:
        async for chunk in response.chunks():
            piece = encoder.feed(chunk) if encoder is not None else chunk
            if piece:
                yield piece
        if encoder is not None:
            encoder.close()
    except PlanoError as error:
        yield sse.encode_event(openai_chat.encode_error(error))
        raise StreamBrokenError from error
    except Exception as error:
        _log_bug(error, trail)
        yield sse.encode_event(openai_chat.encode_error(PlanoError(_bug_message(trail))))
        raise StreamBrokenError from error
    if encoder is not None and encoder.failed:
        raise StreamBrokenError


def _trace_id(traceparent: str) -> str:
    """Take the trace id of a W3C ``traceparent``, or make one."""
    parts = traceparent.split("-")
    given = parts[1] if len(parts) == 4 else ""  # noqa: PLR2004 - W3C Trace Context, section 3.2
    valid = len(given) == 32 and set(given) <= set("0123456789abcdef") and set(given) != {"0"}  # noqa: PLR2004
    return given if valid else uuid.uuid4().hex


def _bug_message(trail: Trail) -> str:
    return f"The router failed on this request. Its log names the place, under trace id {trail.trace_id}."


def _log_bug(error: Exception, trail: Trail) -> None:
    """Name a failure's place in one line; its message may hold a prompt, so it stays out."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "?"
    log.error("trace %s: unexpected %s at %s", trail.trace_id, type(error).__name__, place)
