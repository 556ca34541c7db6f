"""Heads that a client's new connections know from the ones before them."""

from dataclasses import dataclass

from plano_agents.http.server.exchange import Exchange
from plano_agents.http.server.handlers import KEPT_TEMPLATES, MAX_PEERS, Handlers, Known
from plano_agents.http.server.head import HeadReader
from plano_agents.http.server.shortcut import Line
from plano_agents.http.server.template import Blanks, Filled, Template, build_template
from tests.http.server.scripted_connection import Server, build_head, clocked

PEER = "10.0.0.1"


@dataclass
class Ready:
    """A shortcut that answers each whole request with its body."""

    is_over: bool = False
    served: int = 0

    def serve(self, line: Line, template: Template, filled: Filled, body: bytes) -> bool:
        self.served += 1
        line.answer(200, b"", body)
        return True

    def begin(self, exchange: Exchange, line: Line, template: Template, filled: Filled) -> None:
        """Leave what has to be parsed to a task."""


class ReadyServer(Server):
    """A server whose direct paths have a shortcut."""

    def __post_init__(self) -> None:
        self.ready = Ready()
        super().__post_init__()

    def list_blanks(self, target: str) -> Blanks | None:
        return Blanks()

    def find_shortcut(self, template: Template, peer: str | None) -> Ready:
        return self.ready


async def answer(exchange: Exchange) -> None:
    exchange.answer(200, {}, await exchange.read_body(100))


def know(target: str = "/direct", shortcut: Ready | None = None) -> Known:
    block = build_head(target, 2)
    head = HeadReader(1_000).take(bytearray(block))
    assert head is not None
    template = build_template(block, head, Blanks())
    assert template is not None
    return template, shortcut or Ready()


@clocked
async def test_a_new_connection_serves_a_head_that_an_earlier_one_had_without_parsing_it() -> None:
    server = ReadyServer(answer)
    server.connect().send(build_head("/direct", 2) + b"{}")
    assert server.ready.served == 0
    server.connect().send(build_head("/direct", 3) + b"{ }")
    assert server.ready.served == 1


@clocked
async def test_a_connection_to_a_server_that_stops_parses_its_head() -> None:
    server = ReadyServer(answer)
    server.connect().send(build_head("/direct", 2) + b"{}")
    server.server_state.stop()
    server.connect().send(build_head("/direct", 2) + b"{}")
    assert server.ready.served == 0


def test_a_head_is_known_to_new_connections_from_its_address_alone() -> None:
    handlers, known = Handlers(Server()), know()
    handlers.learn([], known, PEER)
    assert (handlers.recall(PEER), handlers.recall("10.0.0.2")) == ([known], [])


def test_a_connection_knows_the_latest_heads_of_its_address_the_last_one_first() -> None:
    handlers = Handlers(Server())
    heads = [know(f"/direct/{number}") for number in range(KEPT_TEMPLATES + 1)]
    for head in heads:
        handlers.learn([], head, PEER)
    assert handlers.recall(PEER) == heads[:0:-1]


def test_heads_whose_shortcut_is_over_are_forgotten() -> None:
    handlers = Handlers(Server())
    handlers.learn([], know(shortcut=Ready(is_over=True)), PEER)
    assert handlers.recall(PEER) == []


def test_the_heads_of_so_many_addresses_are_known_and_no_more() -> None:
    handlers = Handlers(Server())
    for number in range(MAX_PEERS + 1):
        handlers.learn([], know(), f"10.0.{number // 256}.{number % 256}")
    assert (handlers.recall("10.0.0.0"), len(handlers.recall("10.0.1.0"))) == ([], 1)
