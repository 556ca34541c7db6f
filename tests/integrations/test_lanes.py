# ruff: noqa: ANN401 - a compiled graph's type says nothing here
"""A supervisor with three sub-agents on a real router: a pin for each lane, or one for all, by the scope it opens."""

import operator
import uuid
from contextlib import nullcontext
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.types import Send

from plano_agents import ChatPlano, model_affinity
from tests.integrations.router_view import RouterView

REASONER, CODER, DEFAULT = "openai/gpt-4o", "anthropic/claude-sonnet-4-6", "openai/gpt-4o-mini"
JOBS = {
    "analyst": "Weigh the trade-offs of two queue designs and reason about which is better.",
    "programmer": "Write a Python function with boilerplate code for a queue.",
    "greeter": "Hello.",
}


class Work(TypedDict):
    """The supervisor's state: the work that it hands out and gets back."""

    answers: Annotated[list[str], operator.add]


class Job(TypedDict):
    """One sub-agent's part."""

    name: str


def build_supervisor(llm: ChatPlano, *, lanes: bool) -> Any:
    """Two rounds of three sub-agents side by side."""
    sub_agent = create_agent(llm, tools=[])

    def supervise(_: Work) -> list[Send]:
        return [Send("delegate", {"name": name}) for name in JOBS]

    def delegate(state: Job) -> Work:
        with model_affinity(lane=state["name"]) if lanes else nullcontext():
            said = sub_agent.invoke({"messages": [HumanMessage(JOBS[state["name"]])]})
        return {"answers": [said["messages"][-1].text]}

    graph = StateGraph(Work)
    graph.add_node("delegate", delegate)
    return graph.add_conditional_edges(START, supervise, ["delegate"]).compile()


@pytest.fixture
def view(offline_router: str) -> RouterView:
    return RouterView(offline_router)


@pytest.fixture
def run_id() -> str:
    return str(uuid.uuid4())


def run_twice(view: RouterView, run_id: str, *, lanes: bool) -> None:
    supervisor = build_supervisor(ChatPlano(base_url=view.url), lanes=lanes)
    with model_affinity(run_id):
        for _ in range(2):
            assert len(supervisor.invoke({"answers": []})["answers"]) == 3


def test_each_lane_keeps_a_pin_of_its_own(view: RouterView, run_id: str) -> None:
    run_twice(view, run_id, lanes=True)
    sessions = [view.session(f"{run_id}/{name}") for name in JOBS]
    pinned = [(session["model"], session["turns"]) for session in sessions if session]
    assert pinned == [(REASONER, 2), (CODER, 2), (DEFAULT, 2)]
    assert view.session(run_id) is None


def test_without_lanes_all_share_the_runs_pin(view: RouterView, run_id: str) -> None:
    run_twice(view, run_id, lanes=False)
    session = view.session(run_id)
    assert session is not None
    assert (session["turns"], session["switch_count"]) == (6, 0)
    assert not [name for name in JOBS if view.session(f"{run_id}/{name}")]


async def test_a_lane_stands_below_the_id_that_the_config_gives(view: RouterView, run_id: str) -> None:
    """However the run's id came about: the supervisor opens its scope, and the lanes below it."""
    llm = ChatPlano(base_url=view.url)
    async with model_affinity(run_id), model_affinity(lane="analyst"):
        await llm.ainvoke("hello", {"configurable": {"model_affinity_id": run_id}})
    assert view.turns(f"{run_id}/analyst") == 1
