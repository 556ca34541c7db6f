"""Answers to runs that fail."""

import logging
import socket

import anthropic
import openai
import pytest
from langgraph.errors import GraphRecursionError

from plano_agents.agent_server.failures import describe_failure
from plano_agents.errors import (
    ModelNotFoundError,
    PlanoError,
    StepLimitError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from plano_agents.testing import FakeUpstream, fail


def describe(error: Exception) -> PlanoError:
    return describe_failure(error, run_id="run_1", recursion_limit=50)


async def fail_against(base_url: str) -> Exception:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as sdk:
        with pytest.raises(openai.APIError) as caught:
            await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    return caught.value


async def test_a_router_that_is_not_there_is_named_with_the_way_to_start_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    failure = describe(await fail_against(f"{address}/v1"))
    assert type(failure) is UpstreamUnreachableError
    assert address in failure.message
    assert "plano-agents up" in failure.message
    assert "/chat/completions" not in failure.message


async def fail_with_anthropic(base_url: str, *, patience: float = 60) -> Exception:
    async with anthropic.AsyncAnthropic(base_url=base_url, api_key="none", max_retries=0, timeout=patience) as sdk:
        with pytest.raises(anthropic.APIError) as caught:
            await sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    return caught.value


async def test_a_router_that_anthropics_sdk_does_not_reach_is_named_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    failure = describe(await fail_with_anthropic(f"http://me:secret@{address}"))
    assert (type(failure), failure.status_code) == (UpstreamUnreachableError, 502)
    assert address in failure.message
    assert "secret" not in failure.message


async def test_a_router_that_anthropics_sdk_waits_for_in_vain_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        failure = describe(await fail_with_anthropic(address, patience=0.01))
    assert (type(failure), failure.status_code) == (UpstreamTimeoutError, 504)


async def test_a_refusal_in_anthropics_form_keeps_its_words() -> None:
    async with FakeUpstream(fail(404, "no model 'm'; declare it")) as router:
        failure = describe(await fail_with_anthropic(router.url))
    assert type(failure) is UpstreamError
    assert failure.message.endswith("answered 404: no model 'm'; declare it")


async def test_a_routers_refusal_keeps_its_status_and_words() -> None:
    async with FakeUpstream(fail(404, "no model 'm'; declare it")) as router:
        failure = describe(await fail_against(f"{router.url}/v1"))
    assert (type(failure), failure.status_code) == (UpstreamError, 502)
    assert failure.message.endswith("answered 404: no model 'm'; declare it")


def test_our_own_errors_pass_as_they_are() -> None:
    error = ModelNotFoundError("no such model")
    assert describe(error) is error


def test_a_graph_over_its_limit_is_told_which_limit() -> None:
    failure = describe(GraphRecursionError("LangGraph's words"))
    assert type(failure) is StepLimitError
    assert "50 steps" in failure.message


def test_the_log_has_the_place_of_a_fault_and_not_its_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    try:
        int("the secret prompt")
    except ValueError as error:
        failure = describe(error)
    assert "secret" not in caplog.text + failure.message
    assert "run_1 failed (ValueError at " in caplog.text
    assert "test_failures.py" in caplog.text
