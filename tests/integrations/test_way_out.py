"""A router that is not there is named, with the way out, by every client; the error's class is the SDK's."""

import socket
from collections.abc import Callable

import anthropic
import openai
import pytest

from plano_agents import ChatPlano
from plano_agents.anthropic import Anthropic, AsyncAnthropic
from plano_agents.openai import AsyncOpenAI, OpenAI
from plano_agents.testing import FakeUpstream, fail

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def address() -> str:
    """An address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return f"http://me:secret@127.0.0.1:{port}"


def check(error: Exception, address: str, path: str) -> None:
    shown = address.replace("me:secret", "…")
    assert f"Cannot reach the model router at {shown}{path}. Start it with `plano-agents up`" in str(error)
    assert "set PLANO_BASE_URL" in str(error)
    assert "secret" not in str(error)


CALLS: dict[str, tuple[Callable[[str], object], str]] = {
    "ChatPlano": (lambda url: ChatPlano(base_url=url, max_retries=0).invoke("hello"), "/v1"),
    "ChatPlano streaming": (lambda url: list(ChatPlano(base_url=url, max_retries=0).stream("hello")), "/v1"),
    "OpenAI": (
        lambda url: OpenAI(base_url=url, max_retries=0).chat.completions.create(model="m", messages=HELLO),  # type: ignore[arg-type]
        "/v1",
    ),
    "Anthropic": (
        lambda url: Anthropic(base_url=url, max_retries=0).messages.create(model="m", max_tokens=9, messages=HELLO),  # type: ignore[arg-type]
        "",
    ),
}


@pytest.mark.parametrize(("call", "path"), CALLS.values(), ids=CALLS)
def test_a_router_that_is_not_there_is_named(call: Callable[[str], object], path: str, address: str) -> None:
    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError)) as raised:
        call(address)
    check(raised.value, address, path)


async def test_asynchronous_clients_name_it_too(address: str) -> None:
    with pytest.raises(openai.APIConnectionError) as raised:
        await ChatPlano(base_url=address, max_retries=0).ainvoke("hello")
    check(raised.value, address, "/v1")
    with pytest.raises(openai.APIConnectionError) as raised:
        await AsyncOpenAI(base_url=address, max_retries=0).chat.completions.create(model="m", messages=HELLO)  # type: ignore[arg-type]
    check(raised.value, address, "/v1")
    with pytest.raises(anthropic.APIConnectionError) as other:
        await AsyncAnthropic(base_url=address, max_retries=0).messages.create(model="m", max_tokens=9, messages=HELLO)  # type: ignore[arg-type]
    check(other.value, address, "")


async def test_other_errors_are_the_sdks_own() -> None:
    async with FakeUpstream(fail(404, "no model 'm'")) as router:
        with pytest.raises(openai.NotFoundError, match="no model 'm'"):
            await ChatPlano(base_url=router.url, max_retries=0).ainvoke("hello")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(openai.APITimeoutError):
            await ChatPlano(base_url=url, max_retries=0, timeout=0.01).ainvoke("hello")
