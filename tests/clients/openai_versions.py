"""Checks of one version of the OpenAI SDK through a router: a script for an environment that has it.

The arguments are the router's base URL and the models to ask; it prints the SDK's version, and fails at the first
thing that does not hold.
"""

import asyncio
import sys
from typing import Any

import openai
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import tool

from plano_agents import ChatPlano, instrument, model_affinity, uninstrument
from plano_agents.openai import AsyncOpenAI, OpenAI

QUESTION = "What is the weather in Paris and in Rome?"


@tool
def weather(city: str) -> str:
    """Weather in a city."""
    return f"18 degrees in {city}"


def check_chat(client: openai.OpenAI, model: str) -> None:
    """Ask for a chat completion, plain and streamed."""
    asked: Any = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    text = client.chat.completions.create(**asked).choices[0].message.content
    with client.chat.completions.stream(**asked) as stream:
        assert text
        assert stream.get_final_completion().choices[0].message.content == text


def check_responses(client: openai.OpenAI, model: str) -> None:
    """Ask for a response, plain and streamed."""
    asked: Any = {"model": model, "input": QUESTION, "store": False}
    text = client.responses.create(**asked).output_text
    with client.responses.stream(**asked) as stream:
        assert text
        assert stream.get_final_response().output_text == text


def check_errors(client: openai.OpenAI) -> None:
    """Ask for what is not there."""
    try:
        client.models.retrieve("nobody")
    except openai.NotFoundError as error:
        assert (error.status_code, error.code) == (404, "model_not_found")  # noqa: PT017 - no pytest where this runs
    else:
        raise AssertionError("an unknown model was found")


def check_chat_plano(url: str, model: str) -> None:
    """Let the chat model answer, stream, and call tools, within one affinity id."""
    llm = ChatPlano(model=model, base_url=url)
    said: list[AnyMessage] = [HumanMessage(QUESTION)]
    with model_affinity() as affinity_id:
        answer = llm.invoke(said)
        assert answer.text
        assert "".join(str(chunk.text) for chunk in llm.stream(said)) == answer.text
        calls = llm.bind_tools([weather]).invoke(said)
        assert isinstance(calls, AIMessage)
        results = [weather.invoke(call) for call in calls.tool_calls]
        final = llm.bind_tools([weather]).invoke([*said, calls, *results])
    assert "18 degrees" in final.text
    told = final.response_metadata["plano"]
    assert (told["affinity_id"], told["reason"]) == (affinity_id, "pinned"), told


def check_clients(url: str, model: str) -> None:
    """Ask by our own clients, and by the SDK's under `instrument`: each request carries the scope's id."""
    asked: Any = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    with OpenAI(base_url=url) as client, model_affinity() as affinity_id:
        plain = client.chat.completions.with_raw_response.create(**asked)
        other = client.with_options(affinity_id="other").chat.completions.with_raw_response.create(**asked)
    assert plain.headers["X-Model-Affinity"] == affinity_id
    assert other.headers["X-Model-Affinity"] == "other"
    instrument(url)
    with openai.OpenAI(base_url=url, api_key="none") as stock, model_affinity() as affinity_id:
        reached = stock.chat.completions.with_raw_response.create(**asked)
    uninstrument()
    assert reached.headers["X-Model-Affinity"] == affinity_id
    asyncio.run(check_async_client(url, asked))


async def check_async_client(url: str, asked: dict[str, Any]) -> None:
    """Ask by our asynchronous client."""
    async with AsyncOpenAI(base_url=url) as client, model_affinity() as affinity_id:
        answer = await client.chat.completions.with_raw_response.create(**asked)
    assert answer.headers["X-Model-Affinity"] == affinity_id


def main(url: str, *models: str) -> None:
    """Check everything."""
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
    check_errors(client)
    for model in models:
        check_chat(client, model)
        check_responses(client, model)
        check_chat_plano(url, model)
        check_clients(url, model)
    print(openai.__version__)  # noqa: T201 - what a script answers with


if __name__ == "__main__":
    main(*sys.argv[1:])
