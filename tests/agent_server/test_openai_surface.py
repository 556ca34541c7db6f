"""The agent in the place of a model, asked by the real SDK on a real socket."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import openai
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.agent_server.app import create_app
from plano_agents.agent_server.settings import build_settings
from tests.agent_server.conftest import Connect, Script, ScriptedModel, build_graph, call_app, connect

QUESTION: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Which city?"}]

PDF = "data:application/pdf;base64,"


@asynccontextmanager
async def ask(script: Script, *tools: BaseTool, **options: object) -> AsyncGenerator[openai.AsyncOpenAI, None]:
    settings = build_settings(name="scout", **options)
    async with (
        connect(create_app(build_graph(script, *tools), settings)) as client,
        openai.AsyncOpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0) as sdk,
    ):
        yield sdk


async def test_what_the_agent_says_is_the_assistants_message() -> None:
    async with ask(Script()) as sdk:
        completion = await sdk.chat.completions.create(model="scout", messages=QUESTION)
    assert completion.choices[0].message.content == SAID
    assert (completion.model, completion.choices[0].finish_reason) == ("scout", "stop")


async def test_an_answer_names_its_session_and_the_model_of_each_call() -> None:
    async with ask(Script(("gpt-4o", "claude"))) as sdk:
        completion = await sdk.chat.completions.create(
            model="scout", messages=QUESTION, extra_headers={AFFINITY_HEADER: "run-7"}
        )
    assert completion.model_extra == {
        "session_id": "run-7",
        "routing_trace": [{"task": "look_up, look_up", "model": "gpt-4o"}, {"task": "answer", "model": "claude"}],
    }


@pytest.mark.parametrize(
    ("part", "kind", "held"),
    [
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": f"{PDF}JVBERi0="}}, "file", "JVBERi0="),
        ({"type": "file", "file": {"file_id": "file-1"}}, "file", "file-1"),
        ({"type": "image_url", "image_url": {"url": "https://h/a.png"}}, "image_url", "https://h/a.png"),
    ],
)
async def test_a_users_file_or_image_reaches_the_model(part: dict[str, object], kind: str, held: str) -> None:
    script = Script(("gpt-4o",))
    content = [part, {"type": "text", "text": "Read it"}]
    async with call_app(build_graph(script)) as client:
        answer = await client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": content}]})
    assert answer.status_code == 200, answer.text
    got = script.asked[0].messages[0].content[0]
    assert isinstance(got, dict)
    assert got["type"] == kind
    assert held in str(got)


async def test_another_model_than_the_agent_is_not_found() -> None:
    async with ask(Script()) as sdk:
        with pytest.raises(openai.NotFoundError, match="'scout'") as caught:
            await sdk.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_usage_is_summed_over_the_runs_turns() -> None:
    async with ask(Script()) as sdk:
        usage = (await sdk.chat.completions.create(model="scout", messages=QUESTION)).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (200, 20, 220)
    assert usage.prompt_tokens_details.cached_tokens == 64


async def test_a_streamed_answer_comes_as_it_is_said_and_assembles_to_the_plain_one() -> None:
    async with ask(Script()) as sdk:
        stream = await sdk.chat.completions.create(model="scout", messages=QUESTION, stream=True)
        chunks = [chunk async for chunk in stream]
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert ("".join(said), len(said)) == (SAID, 7)
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_the_final_output_alone_is_the_message_where_the_settings_say_so(*, stream: bool) -> None:
    async with ask(Script(), openai_answers="final") as sdk:
        body = {"model": "scout", "messages": QUESTION}
        if stream:
            chunks = [chunk async for chunk in await sdk.chat.completions.create(**body, stream=True)]  # type: ignore[call-overload]
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        else:
            said = (await sdk.chat.completions.create(**body)).choices[0].message.content  # type: ignore[call-overload]
    assert said == "Oslo, says gpt-4o"


async def test_a_stream_tells_its_usage_in_one_last_chunk_when_asked() -> None:
    async with ask(Script()) as sdk:
        stream = await sdk.chat.completions.create(
            model="scout", messages=QUESTION, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    told = [chunk for chunk in chunks if chunk.usage is not None]
    assert told == chunks[-1:]
    assert (told[0].choices, told[0].usage and told[0].usage.total_tokens) == ([], 220)


async def test_the_agent_is_listed_as_the_one_model() -> None:
    async with ask(Script()) as sdk:
        assert [model.id async for model in sdk.models.list()] == ["scout"]


@pytest.mark.parametrize("extra", [{}, {"stream": True}], ids=["plain", "streamed"])
async def test_the_clients_id_reaches_the_models_and_is_echoed(
    extra: dict[str, bool], connect_to_each: Connect
) -> None:
    script = Script()
    body = {"messages": QUESTION} | extra
    async with connect_to_each(create_app(build_graph(script))) as client:
        response = await client.post("/v1/chat/completions", json=body, headers={AFFINITY_HEADER: "mine"})
    assert response.headers[AFFINITY_HEADER] == "mine"
    assert {asked.affinity_id for asked in script.asked} == {"mine"}


async def test_nothing_is_remembered_between_requests() -> None:
    script = Script(("gpt-4o",))
    async with ask(script) as sdk:
        for _ in range(2):
            await sdk.chat.completions.create(model="scout", messages=QUESTION)
    assert [len(asked.messages) for asked in script.asked] == [1, 1]
    assert len({asked.affinity_id for asked in script.asked}) == 2


async def test_a_failed_run_is_an_error_of_the_sdk() -> None:
    async with ask(Script(wait=fail)) as sdk:
        with pytest.raises(openai.InternalServerError, match="RuntimeError"):
            await sdk.chat.completions.create(model="scout", messages=QUESTION)


async def test_a_run_that_fails_on_a_stream_is_an_error_of_the_sdk() -> None:
    async with ask(Script(wait=fail)) as sdk:
        stream = await sdk.chat.completions.create(model="scout", messages=QUESTION, stream=True)
        with pytest.raises(openai.APIError, match="RuntimeError"):
            assert not [chunk async for chunk in stream if chunk.choices[0].delta.content]


async def fail() -> None:
    raise RuntimeError


async def test_an_unfit_request_is_refused_in_openais_form() -> None:
    async with ask(Script()) as sdk:
        with pytest.raises(openai.BadRequestError) as caught:
            await sdk.chat.completions.create(model="scout", messages=[])
    assert caught.value.param == "messages"


async def test_settings_that_are_the_agents_own_are_ignored() -> None:
    body = {"messages": QUESTION, "temperature": 0.3, "tools": [], "user": "u"}
    async with call_app(build_graph(Script()), now=lambda: 1767225600.9) as client:
        completion = (await client.post("/v1/chat/completions", json=body)).json()
    assert (completion["created"], completion["model"]) == (1767225600, "agent")


TOOL = {"type": "function", "function": {"name": "theirs", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("given", [{"tools": [TOOL]}, {"functions": [TOOL["function"]]}])
async def test_a_clients_tools_are_refused(given: dict[str, object]) -> None:
    """The agent would never call them, and the client would wait for it in vain."""
    script = Script()
    async with call_app(build_graph(script)) as client:
        response = await client.post("/v1/chat/completions", json={"messages": QUESTION, **given})
    error = response.json()["error"]
    assert (response.status_code, script.asked) == (400, [])
    assert f"leave {next(iter(given))!r} out" in error["message"]


@pytest.mark.parametrize("before", [[], [{"role": "assistant", "content": "I look."}], QUESTION])
async def test_a_tools_message_that_answers_no_call_is_refused(before: list[dict[str, object]]) -> None:
    """Providers refuse it: without this the client would get a 502 for its own mistake."""
    script = Script()
    messages = [*before, {"role": "tool", "tool_call_id": "c-7", "content": "a city"}]
    async with call_app(build_graph(script)) as client:
        response = await client.post("/v1/chat/completions", json={"messages": messages})
    assert (response.status_code, script.asked) == (400, [])
    assert f"messages[{len(before)}] has the tool_call_id 'c-7'" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "after", [[], [{"role": "user", "content": "And?"}], [{"role": "tool", "tool_call_id": "c-1", "content": ""}]]
)
async def test_a_call_that_no_message_answers_is_refused(after: list[dict[str, object]]) -> None:
    calls = [
        {"id": each, "type": "function", "function": {"name": "look", "arguments": "{}"}} for each in ("c-1", "c-2")
    ]
    script = Script()
    messages = [*QUESTION, {"role": "assistant", "content": None, "tool_calls": calls}, *after]
    async with call_app(build_graph(script)) as client:
        response = await client.post("/v1/chat/completions", json={"messages": messages})
    unanswered = "c-2" if after and after[0]["role"] == "tool" else "c-1"
    assert (response.status_code, script.asked) == (400, [])
    assert (
        f"messages[1] has the tool call {unanswered!r}, which no message answers" in response.json()["error"]["message"]
    )


async def test_a_transcript_with_tool_calls_is_read() -> None:
    call = {"id": "c-1", "type": "function", "function": {"name": "look", "arguments": '{"city":"Oslo"}'}}
    broken = {"id": "c-2", "type": "function", "function": {"name": "look", "arguments": '{"city":'}}
    transcript = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call, broken]},
        {"role": "tool", "tool_call_id": "c-1", "content": "a city"},
        {"role": "tool", "tool_call_id": "c-2", "content": [{"type": "text", "text": "no JSON"}]},
        {"role": "assistant", "content": "Oslo.", "refusal": None},
        {"role": "user", "content": "And now?"},
    ]
    script = Script(("gpt-4o",))
    async with call_app(build_graph(script)) as client:
        response = await client.post("/v1/chat/completions", json={"messages": transcript})
    assert response.status_code == 200
    _, called, first, second, said, _ = script.asked[0].messages
    assert isinstance(called, AIMessage)
    assert (called.content, [each["args"] for each in called.tool_calls]) == ("", [{"city": "Oslo"}])
    assert [each["args"] for each in called.invalid_tool_calls] == ['{"city":']
    assert [(each.type, each.text, getattr(each, "tool_call_id", None)) for each in (first, second)] == [
        ("tool", "a city", "c-1"),
        ("tool", "no JSON", "c-2"),
    ]
    assert said.text == "Oslo."


async def test_no_content_at_all_is_refused() -> None:
    body = {"messages": [{"role": "user", "content": []}]}
    async with call_app(build_graph(Script())) as client:
        response = await client.post("/v1/chat/completions", json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages[0].content")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_half_a_character_in_an_answer_is_replaced(*, stream: bool) -> None:
    body = {"messages": QUESTION, "stream": stream}
    async with call_app(build_graph(Script(("gpt-\ud83d",)))) as client:
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200
    assert "gpt-\ufffd" in response.text


SAID = "I look, says gpt-4o \n\nOslo, says gpt-4o "
DONE = {("Oslo", "Oslo is a city"), ("Rome", "Rome is a city")}


def read_tools(tools: list[dict[str, object]]) -> set[tuple[str, object]]:
    """Read what was looked up; the two calls of a turn run at the same time, and either may end first."""
    assert [(tool["index"], tool["type"], tool["name"]) for tool in tools] == [
        (number, "function", "look_up") for number in range(len(tools))
    ]
    return {(json.loads(str(tool["arguments"]))["city"], tool["output"]) for tool in tools}


async def test_tool_calls_are_hidden_unless_the_settings_show_them() -> None:
    async with ask(Script()) as sdk:
        message = (await sdk.chat.completions.create(model="scout", messages=QUESTION)).choices[0].message
    assert (message.tool_calls, message.model_extra) == (None, {})


async def test_shown_tool_calls_come_with_their_results_and_ask_the_client_for_nothing() -> None:
    async with ask(Script(), tool_calls="shown") as sdk:
        completion = await sdk.chat.completions.create(model="scout", messages=QUESTION)
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason, choice.message.tool_calls) == (SAID, "stop", None)
    assert read_tools((choice.message.model_extra or {})["executed_tools"]) == DONE


async def test_shown_text_and_tool_calls_come_as_they_happen() -> None:
    async with ask(Script(), tool_calls="shown") as sdk:
        stream = await sdk.chat.completions.create(model="scout", messages=QUESTION, stream=True)
        deltas = [chunk.choices[0].delta async for chunk in stream]
    content = [delta.content for delta in deltas if delta.content]
    tools = [tool for delta in deltas for tool in (delta.model_extra or {}).get("executed_tools", [])]
    assert (len(content), "".join(content), read_tools(tools)) == (7, SAID, DONE)
    first = next(number for number, delta in enumerate(deltas) if delta.model_extra)
    assert "".join(delta.content or "" for delta in deltas[:first]) == "I look, says gpt-4o "


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_what_a_tools_own_model_says_is_not_shown(*, stream: bool) -> None:
    @tool
    async def consult(city: str) -> str:
        """Ask another model."""
        return str((await ScriptedModel(script=Script(("claude",))).ainvoke(f"About {city}?")).text)

    body = {"messages": QUESTION, "stream": stream}
    graph = build_graph(Script(tool="consult", cities=("Oslo",)), consult)
    async with call_app(graph, tool_calls="shown") as client:
        response = await client.post("/v1/chat/completions", json=body)
    said, _, _ = response.text.partition('"routing_trace"')
    assert said.count("claude") == 1  # as the tool's output
