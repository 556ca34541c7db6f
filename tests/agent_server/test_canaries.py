"""Words that may stand in no log at default settings, put wherever a client, a tool or a model can put them."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.tools import tool

from plano_agents.observe.log import configure_log
from tests.agent_server.conftest import Script, build_graph, call_app

CANARY = "canary-7d1f"
SAID = [{"role": "user", "content": CANARY}]
AG_UI: dict[str, Any] = {
    "threadId": "t-1",
    "runId": CANARY,
    "state": {"canary": CANARY},
    "messages": [{"id": CANARY, **SAID[0]}],
    "tools": [{"name": CANARY, "description": CANARY, "parameters": {"type": CANARY}}],
    "context": [{"description": CANARY, "value": CANARY}],
    "forwardedProps": {CANARY: CANARY},
}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a run": ("/agent/run", {"input": CANARY}),
    "a thread's run": ("/agent/run", {"messages": SAID, "thread_id": "t-1"}),
    "a refused run": ("/agent/run", {"input": [CANARY], CANARY: CANARY}),
    "a completion": ("/v1/chat/completions", {"model": "agent", "messages": SAID}),
    "a streamed completion": ("/v1/chat/completions", {"model": "agent", "messages": SAID, "stream": True}),
    "a refused completion": ("/v1/chat/completions", {"model": CANARY, "messages": CANARY}),
    "AG-UI": ("/ag-ui", AG_UI),
    "AG-UI with a state that is none": ("/ag-ui", {**AG_UI, "state": [CANARY]}),
    "AG-UI with a message that is none": ("/ag-ui", {**AG_UI, "messages": [{"id": CANARY, "role": CANARY}]}),
    "AG-UI with a call that nobody made": (
        "/ag-ui",
        {**AG_UI, "messages": [{"id": "1", "role": "tool", "content": CANARY, "toolCallId": CANARY}]},
    ),
    "AG-UI with arguments that are none": (
        "/ag-ui",
        {
            **AG_UI,
            "messages": [
                {
                    "id": "1",
                    "role": "assistant",
                    "toolCalls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": CANARY, "arguments": f'["{CANARY}"]'},
                        }
                    ],
                },
                {"id": "2", **SAID[0]},
            ],
        },
    ),
}


@tool
def tell(city: str) -> str:
    """Answer."""
    return CANARY


@tool
def fail(city: str) -> str:
    """Fail."""
    raise ValueError(CANARY)


async def fail_with_words() -> None:
    raise ValueError(CANARY)


SCRIPTS = {
    "the tool answers": lambda: Script(tool="tell", cities=(CANARY,)),
    "the tool fails": lambda: Script(tool="fail", cities=(CANARY,)),
    "the model fails": lambda: Script(wait=fail_with_words),
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log of a program at its default settings."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("plano_agents").level
    written = io.StringIO()
    configure_log("info", environ={}, out=written, err=written)
    yield written
    logging.captureWarnings(capture=False)
    logging.getLogger("plano_agents").setLevel(before[2])
    root.handlers[:] = before[0]
    root.setLevel(before[1])


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("script_name", SCRIPTS)
async def test_no_word_of_a_client_a_tool_or_a_model_is_logged(
    log: io.StringIO, script_name: str, request_name: str
) -> None:
    path, body = REQUESTS[request_name]
    async with call_app(build_graph(SCRIPTS[script_name](), tell, fail)) as client:
        answers: list[httpx.Response] = [
            await client.post(path, json=body, headers={"accept": accept})
            for accept in ("application/json", "text/event-stream")
        ]
        await client.get("/threads/t-1")
    assert answers
    assert CANARY not in log.getvalue()


async def test_the_log_that_is_looked_at_has_a_line_for_each_run(log: io.StringIO) -> None:
    async with call_app(build_graph(SCRIPTS["the tool answers"](), tell, fail)) as client:
        await client.post("/agent/run", json={"input": CANARY})
    assert log.getvalue().count("run_") == 1
