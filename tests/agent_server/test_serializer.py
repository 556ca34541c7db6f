"""State that is read only where all that it names is allowed, and what a setting allows beside that."""

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import re
import uuid
import zoneinfo
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import ormsgpack
import pytest
from fastapi.openapi.models import Contact
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from plano_agents.agent_server.serializer import MAX_DEPTH, RefusedTypeError, StrictSerializer
from plano_agents.agent_server.state_types import find_state_types, load_types
from plano_agents.errors import ConfigError
from tests.agent_server.hostile_rows import SINGLE, SNAPSHOT, Serialized, construct, list_hostile, name, pack

HOSTILE = list_hostile()


class Colour(enum.Enum):
    RED = 1


class Inner(BaseModel):
    colour: Colour


@dataclasses.dataclass
class Plan:
    steps: list[Inner]


class Pair(NamedTuple):
    left: int


class Notes(TypedDict):
    plan: Plan | None


class Service:
    """A class that does things: no data type."""


class State(MessagesState):
    notes: Annotated[list[Notes], "read"]
    pair: Pair


GOOD = [
    [HumanMessage("hi"), AIMessage("ho", tool_calls=[{"name": "t", "args": {"a": 1}, "id": "1"}])],
    [
        ToolMessage("x", tool_call_id="1", artifact={"a": [1]}),
        RemoveMessage(id="1"),
        AIMessageChunk(content="x"),
    ],
    {"a": [1, 2.5, True, None, "x", b"y"], 5: [{"lc": 1}]},
    {frozenset({1}), "a"},
    deque([uuid.UUID(int=1), decimal.Decimal("1.5"), pathlib.Path("a")]),
    [
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        dt.date(2024, 1, 1),
        dt.time(1, 2),
        dt.timedelta(seconds=5),
        dt.UTC,
        zoneinfo.ZoneInfo("Europe/Oslo"),
    ],
    [re.compile("a+"), ipaddress.ip_address("127.0.0.1"), ipaddress.ip_network("::/64")],
    [Document("text"), Send("node", {"a": HumanMessage("x")}), Interrupt("v"), Command(goto="x")],
    None,
    b"raw",
    bytearray(b"raw"),
]


@pytest.mark.parametrize("value", GOOD, ids=lambda value: type(value).__name__)
def test_what_langgraph_wrote_before_is_read(value: object) -> None:
    written = JsonPlusSerializer().dumps_typed(value)
    assert StrictSerializer().loads_typed(written) == value
    assert StrictSerializer().dumps_typed(value)[0] == written[0]


@pytest.mark.parametrize("path", [("langchain", "schema", "messages", "HumanMessage")])
def test_messages_that_older_versions_wrote_as_json_are_read(path: tuple[str, ...]) -> None:
    written = construct(1, *path, kwargs={"content": "hi"})
    assert StrictSerializer().loads_typed(written) == {"x": [HumanMessage("hi")]}


@pytest.mark.parametrize(("told", "build"), HOSTILE)
def test_nothing_is_made_of_a_hostile_value(told: str, build: Callable[[Path], Serialized], tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(RefusedTypeError) as caught:
        StrictSerializer().loads_typed(build(canary))
    assert not canary.exists()
    assert told in caught.value.name or caught.value.name == "without a name"
    assert str(canary) not in caught.value.name


@pytest.mark.parametrize(
    "value",
    [
        ormsgpack.Ext(0, ormsgpack.packb({0: "os", 1: "system", 2: "true"}, option=ormsgpack.OPT_NON_STR_KEYS)),
        ormsgpack.Ext(99, b"\xc0"),
        name(0, "uuid"),
        name(3, "datetime", "datetime", "x", "strptime"),
    ],
)
def test_an_extension_of_an_unknown_form_is_refused(value: object) -> None:
    with pytest.raises(RefusedTypeError):
        StrictSerializer().loads_typed(pack(value))


def test_extensions_nested_without_end_are_refused() -> None:
    value: object = None
    for _ in range(MAX_DEPTH * 50):
        value = ormsgpack.Ext(SNAPSHOT, ormsgpack.packb(value))
    with pytest.raises(RefusedTypeError, match="deep"):
        StrictSerializer().loads_typed(pack(value))


def test_a_name_that_is_none_is_not_repeated() -> None:
    with pytest.raises(RefusedTypeError) as caught:
        StrictSerializer().loads_typed(pack(name(0, "os\n2024 forged", "system", "x")))
    assert "forged" not in caught.value.name


def test_bytes_that_are_cut_off_are_a_value_error() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the decoder's
        StrictSerializer().loads_typed(("msgpack", pack(["hi", "ho"])[1][:-1]))


def test_a_type_that_could_not_be_read_is_not_written() -> None:
    with pytest.raises(RefusedTypeError, match=r"fastapi\.openapi\.models\.Contact"):
        StrictSerializer().dumps_typed({"contact": Contact()})


def test_data_types_of_the_operators_own_modules_are_read_back() -> None:
    value = {"plan": Plan([Inner(colour=Colour.RED)]), "pair": Pair(1)}
    serializer = StrictSerializer()
    assert StrictSerializer().loads_typed(serializer.dumps_typed(value)) == value


@pytest.mark.parametrize("own", [(__name__, "name"), (__name__, "Service"), ("unloaded", "X")])
def test_own_modules_lend_their_data_types_and_nothing_else(own: tuple[str, str]) -> None:
    with pytest.raises(RefusedTypeError):
        StrictSerializer().loads_typed(pack(name(SINGLE, *own, "x")))


def test_types_that_the_graphs_state_is_annotated_with_are_allowed_at_any_depth() -> None:
    inner = StateGraph(State).add_node("n", lambda state: {}).add_edge(START, "n").compile()
    outer = StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()
    value = {"notes": [{"plan": Plan([Inner(colour=Colour.RED)])}], "pair": Pair(1)}
    strict = StrictSerializer(find_state_types(outer))
    assert strict.loads_typed(strict.dumps_typed(value)) == value


@pytest.mark.parametrize("named", [f"{__name__}:Plan", __name__])
def test_a_setting_allows_a_type_or_a_modules_own_classes(named: str) -> None:
    allowed: frozenset[Any] = load_types(named)
    assert (__name__, "Plan") in allowed
    assert ("pathlib", "Path") not in allowed


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("no_such_module:Plan", "no_such_module' cannot be imported"),
        ("os:system", "'os:system' is not a class"),
        (f"{__name__}:Missing", "is not a class"),
        ("plano_agents", "defines no class"),
    ],
)
def test_a_setting_that_names_no_class_is_told(named: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_types(named)
