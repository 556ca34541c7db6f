"""The strategy that a configuration asks for, and the one thing that it needs of a router: to ask a model."""

import msgspec
from msgspec import Struct

from plano_agents.config.model import Config, Model
from plano_agents.errors import ConfigError, UpstreamError, UpstreamProtocolError
from plano_agents.http.client import Upstream, UpstreamRequest
from plano_agents.protocol.decoding import BAD_JSON
from plano_agents.protocol.form import Form
from plano_agents.providers.profiles import find_profile
from plano_agents.providers.target import build_target
from plano_agents.router.request.upstream_answer import SUCCESS
from plano_agents.routing.embedded.strategy import EmbeddedStrategy
from plano_agents.routing.routing_model import TEMPERATURE, Complete, RoutingModelStrategy
from plano_agents.routing.strategy import Strategy

MAX_ANSWER_TOKENS = 256
"""How long an answer may be: a name or a few."""


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message


class _Completion(Struct):
    choices: list[_Choice]


_COMPLETION = msgspec.json.Decoder(_Completion)


def build_strategy(config: Config, upstream: Upstream) -> Strategy:
    """Choose the strategy: the routing model where one is configured and declared, the embedded one elsewhere.

    Args:
        config: What is configured.
        upstream: Sends to providers.

    Raises:
        ConfigError: The routing model's entry cannot be served, or does not speak OpenAI chat.
    """
    embedded = EmbeddedStrategy(config.routing.threshold)
    model = config.routing_model
    if model is None:
        return embedded
    return RoutingModelStrategy(
        model.name,
        build_complete(config, model, upstream),
        embedded,
        timeout_seconds=config.routing.model_timeout_seconds,
        max_tokens=config.overrides.orchestrator_model_context_length,
    )


def build_complete(config: Config, model: Model, upstream: Upstream) -> Complete:
    """Make what sends prompts to a routing model: to its deployments in the order configured, until one answers.

    Args:
        config: Has the time-outs of the connection.
        model: The entry that serves it.
        upstream: Sends to providers.

    Raises:
        ConfigError: The entry cannot be served, or does not speak OpenAI chat.
    """
    places = [model.deploy(each) for each in model.deployments] or [model]
    first, *others = [_build_complete(config, each, upstream) for each in places]

    async def complete(prompt: str) -> str:
        ask = first
        for following in others:
            try:
                return await ask(prompt)
            except UpstreamError:
                ask = following
        return await ask(prompt)

    return complete


def _build_complete(config: Config, model: Model, upstream: Upstream) -> Complete:
    """Make what sends prompts to one place."""
    target = build_target(model, find_profile(model, config.profiles).apis)
    url = target.urls.get(Form.OPENAI_CHAT)
    if url is None:
        raise ConfigError(
            f"overrides.llm_routing_model: {model.name!r} does not speak OpenAI chat completions. Name an entry that "
            "does, such as one with provider_interface: openai."
        )

    async def complete(prompt: str) -> str:
        body = msgspec.json.encode(
            {
                "model": model.sent_id,
                "messages": [{"role": "user", "content": prompt}],
                "temperature": TEMPERATURE,
                target.limit_field: MAX_ANSWER_TOKENS,
            }
        )
        request = UpstreamRequest(url, target.headers, body, config.timeouts)
        async with await upstream.send(request) as response:
            content = await response.read()
        if response.status not in SUCCESS:
            raise UpstreamProtocolError(f"it answered with the status {response.status}")
        try:
            choices = _COMPLETION.decode(content).choices
        except BAD_JSON as error:
            raise UpstreamProtocolError("it answered with no chat completion") from error
        return (choices[0].message.content or "") if choices else ""

    return complete
