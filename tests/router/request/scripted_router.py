"""The router between a client and providers that do what a script says: no socket, and no time passes by itself.

A script is a list of steps, and after each of them everything happens that can without more bytes or time. What came
of it, `Outcome`, is all that anybody can see: the client's bytes, the providers', the records, the sessions. Ids are
numbered in the order in which they are seen, so that two runs of one script can be compared byte by byte.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from plano_agents.config.model import Config
from plano_agents.http.client.client import HttpUpstream
from plano_agents.http.client.connection import Connection
from plano_agents.http.server.connection import ServerConnection
from plano_agents.http.server.exchange import Serve
from plano_agents.http.server.handlers import Handlers
from plano_agents.http.server.limits import HttpLimits
from plano_agents.http.server.server_state import ServerState
from plano_agents.http.server.shortcut import Shortcut
from plano_agents.http.server.template import Blanks, Template
from plano_agents.router.operate.client_keys import ClientKeys
from plano_agents.router.request.admission import Admission
from plano_agents.router.request.chooser import Chooser
from plano_agents.router.request.dispatch import Dispatcher
from plano_agents.router.request.endpoints import ProxiedEndpoints
from plano_agents.router.request.health import Health
from plano_agents.router.request.sampling import Sampler
from plano_agents.router.request.service import Service
from plano_agents.router.request.trail import Trail
from plano_agents.sessions.ledger import Ledger
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pinning import Pinning
from plano_agents.sessions.store import SessionStore
from tests.http.server.scripted_connection import Client, ClockLoop
from tests.router.conftest import Choose, Recall
from tests.router.request.scripted_store import Doing, Manner, ScriptedRedis, build_scripted_store

WALL_SECONDS = 1_700_000_000
MOST_ROUNDS = 10_000
"""After how many rounds of the event loop a step is taken for one that never ends."""

_ID = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-f])")
_DATE = re.compile(rb"\r\ndate: [^\r]*\r\n")


@dataclass(frozen=True, slots=True)
class Say:
    """The client sends bytes, in one read of the server's."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """The provider that was asked last sends bytes; nothing where nobody waits for an answer."""

    data: bytes
    ends: bool = True
    """True if its answer ends here."""


@dataclass(frozen=True, slots=True)
class End:
    """The provider that was asked last ends its side of the connection, or breaks it."""

    breaks: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Leave:
    """The client breaks its connection; the next step is a new one's."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """The client says that it sends no more, and reads on."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The client stops reading, or, where it had, goes on."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The server stops, and its time for requests under way is over."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The client goes on on its connection of that number."""

    to: int


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration is read again, and is the same."""


@dataclass(frozen=True, slots=True)
class Store:
    """The shared store answers so from now on."""

    manner: Manner


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another replica, or an operator, does something to all pins in the shared store."""

    doing: Doing


Step = Say | Reply | End | Wait | Leave | HalfClose | Stall | Stop | Turn | Reload | Store | Elsewhere
Script = Sequence[Step]


class Provider(asyncio.Transport):
    """A provider's end of one connection."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = bytearray()
        self.is_lost = self.is_aborted = self._is_paused = False
        self._held = b""
        self._asked = self._answered = self._counted = 0

    # What the router does.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self._count()

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - as the parent has it
        return default

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        asyncio.get_running_loop().call_soon(self._deliver)

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        if not self.is_aborted:
            self.is_aborted = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    close = abort

    # What the provider does.

    @property
    def is_asked(self) -> bool:
        """True if a whole request waits for its answer."""
        return self._asked > self._answered and not self.is_aborted

    def reply(self, data: bytes, *, ends: bool) -> None:
        self._answered += ends
        self._held += data
        self._deliver()

    def end(self, *, breaks: bool) -> None:
        if breaks:
            self.is_aborted = True
            self._lose(ConnectionResetError())
        else:
            self.protocol.eof_received()

    def _count(self) -> None:
        """Count the whole requests that came."""
        while (end := self.written.find(b"\r\n\r\n", self._counted)) >= 0:
            length = re.search(rb"\r\ncontent-length: (\d+)", self.written[self._counted : end])
            after = end + 4 + (int(length[1]) if length else 0)
            if after > len(self.written):
                break
            self._counted = after
            self._asked += 1

    def _deliver(self) -> None:
        if self._held and not self._is_paused and not self.is_aborted:
            data, self._held = self._held, b""
            self.protocol.data_received(data)

    def _lose(self, error: Exception | None) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connection_lost(error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that can be seen of a script's run."""

    clients: tuple[tuple[bytes, bool], ...]
    """What each of the client's connections was sent, and whether the server ended it."""
    providers: tuple[tuple[bytes, bool], ...]
    """What each connection to a provider was sent, and whether the router ended it."""
    records: tuple[bytes, ...]
    """The trails, in the order in which observers were told."""
    sessions: tuple[bytes, ...]
    """The sessions that the trails name, as the store explains them."""
    counts: tuple[tuple[str, object], ...]
    """Broken promises, open breakers, what is still under way."""
    commands: tuple[bytes, ...]
    """What a shared store was asked, in order."""


@dataclass
class ScriptedRouter:
    """One router, to be driven by scripts within a `ClockLoop`."""

    config: Config
    fast: bool = False
    """True if the fast path may take what qualifies."""
    route: str | None = None
    """The preference that requests match."""
    is_shared: bool = False
    """Whether sessions are kept in a shared store."""
    is_traced: bool = False
    """Whether requests are traced."""
    recalls: bool = True
    """Whether every text was ranked before."""
    trails: list[Trail] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    providers: list[Provider] = field(default_factory=list)
    _connected: dict[int, Client] = field(default_factory=dict)
    _turned_to: int = 0

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.upstream = HttpUpstream(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), dial=self._connect_provider)
        self.ledger = Ledger(max_entries=200, is_shared=self.is_shared)
        memory = MemorySessionStore(max_entries=100, clock=loop.time, wall_clock=_wall_clock, on_end=self.ledger.forget)
        self.redis = ScriptedRedis(loop.time)
        self.store: SessionStore = memory
        if self.is_shared:
            self.store = build_scripted_store(self.redis, memory, clock=loop.time, wall_clock=_wall_clock)
        self.health = Health(self.config, clock=loop.time)
        self.admission = Admission(self.config.limits)
        self._start()
        self.server_state = ServerState(HttpLimits(), self.admission.buffered, self.refused.append)
        self.handlers = Handlers(self)

    def _start(self) -> None:
        """Build what serves the configuration."""
        loop = asyncio.get_running_loop()
        self.service = Service(
            self.config,
            chooser=Chooser(self.config, (Recall if self.recalls else Choose)(self.route), is_down=self.health.is_down),
            pinning=Pinning(self.store, self.ledger, wall_clock=_wall_clock),
            dispatcher=Dispatcher(
                self.config,
                self.upstream,
                self.health,
                clock=loop.time,
                wall_clock=_wall_clock,
                chance=lambda: 0.0,
            ),
            observe=self.trails.append,
            sampler=Sampler(100, _find_attributes, keeps_content=True, clock=loop.time) if self.is_traced else None,
            clock=loop.time,
            wall_clock=_wall_clock,
        )
        keys = ClientKeys(self.config.client_keys, self.config.limits.allowed_hosts)
        self._endpoints = ProxiedEndpoints(
            self.service,
            self.config,
            keys.let_in,
            self.admission,
            on_refused=self.refused.append,
            upstream=self.upstream if self.fast else None,
        )

    def find_direct(self, path: str) -> Serve | None:
        return self._endpoints.find_direct(path)

    def list_blanks(self, target: str) -> Blanks | None:
        path = self._endpoints.fast_path
        return path.list_blanks(target) if path is not None else None

    def find_shortcut(self, template: Template, peer: str | None) -> Shortcut | None:
        path = self._endpoints.fast_path
        return path.find_shortcut(template, peer) if path is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.leave()
        await settle()
        for close in (self.upstream.close, self.store.aclose):
            closing = asyncio.ensure_future(close())
            await settle()
            await closing

    async def play(self, script: Script) -> None:
        """Do what a script says, step by step."""
        for step in script:
            self._do(step)
            await settle()

    async def play_at_once(self, script: Script) -> None:
        """Do so without a turn of the event loop between the steps."""
        for step in script:
            self._do(step)
        await settle()

    @property
    def fast_turns(self) -> Mapping[str, int]:
        """The counts of the requests that took the fast path; none where it is off."""
        return self._endpoints.fast_path.counts if self._endpoints.fast_path is not None else {}

    async def observe(self) -> Outcome:
        """Tell all that can be seen."""
        commands = tuple(self.redis.commands)
        number = _Numbers()
        clients = tuple((number.tell(bytes(each.taken + each.unread)), each.is_over) for each in self.clients)
        providers = tuple((number.tell(bytes(each.written)), each.is_aborted) for each in self.providers)
        told = sorted(self.trails, key=_place)  # requests that end in one step are told in no certain order
        records = tuple(number.tell(msgspec.json.encode(_tell(each), enc_hook=repr)) for each in told)
        keys = dict.fromkeys(trail.session for trail in self.trails if trail.session is not None)
        explained = [await self.store.find(key) for key in keys]
        sessions = tuple(number.tell(msgspec.json.encode(each, enc_hook=repr)) for each in explained)
        counts: dict[str, object] = {
            "violations": self.ledger.violations,
            "breakers": dict(self.health.list_breakers()),
            "in flight": self.admission.in_flight,
            "buffered": self.admission.buffered.held,
            "refused": tuple(self.refused),
        }
        return Outcome(clients, providers, records, sessions, tuple(counts.items()), tuple(map(number.tell, commands)))

    async def _connect_provider(self, _origin: object, connection: Connection, _tls: object) -> None:
        provider = Provider(connection)
        self.providers.append(provider)
        connection.connection_made(provider)

    def _do(self, step: Step) -> None:  # noqa: C901 - a step each
        match step:
            case Reply() | End():
                self._have_provider(step)
            case Wait(seconds):
                loop = asyncio.get_running_loop()
                assert isinstance(loop, ClockLoop)
                loop.now += seconds
            case Turn(to):
                self._turned_to = to
            case Store(manner):
                self.redis.behave(manner)
            case Elsewhere(doing):
                self.redis.do(doing)
            case Reload():
                before = self._endpoints.fast_path
                self._start()
                if before is not None:
                    before.retire()
            case Stop():
                members = [client.protocol for client in self.clients if not client.is_lost]
                tasks = [*self.server_state.tasks]
                for member in members:
                    member.finish()
                for task in tasks:
                    task.cancel()
                for member in members:
                    member.interrupt()
            case _:
                self._have_client(step)

    def _have_provider(self, step: Reply | End) -> None:
        match step:
            case Reply(data, ends):
                asked = [each for each in self.providers if each.is_asked]
                if asked:
                    asked[-1].reply(data, ends=ends)
            case End(breaks):
                last = next((each for each in reversed(self.providers) if not each.is_aborted), None)
                if last is not None:
                    last.end(breaks=breaks)

    def _have_client(self, step: Say | Leave | HalfClose | Stall) -> None:
        client = self._client
        match step:
            case Say(data):
                client.send(data)
            case Leave():
                client.leave()
            case HalfClose():
                if client.protocol.eof_received() is not True:
                    client.close()
            case Stall():
                client.reads = not client.reads
                if client.reads:
                    client.take(len(client.unread))

    @property
    def _client(self) -> Client:
        """The client's connection; a new one where it has none, or left."""
        client = self._connected.get(self._turned_to)
        if client is None or client.is_over:
            client = self._connected[self._turned_to] = Client()
            client.reads = True
            client.protocol = ServerConnection(self.server_state, self.handlers)
            client.protocol.connection_made(client)
            self.clients.append(client)
        return client


class _Numbers:
    """Numbers ids in the order in which they are seen, and tells no date."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def tell(self, data: bytes) -> bytes:
        def number(found: re.Match[bytes]) -> bytes:
            return self._known.setdefault(found[0], b"<id %d>" % len(self._known))

        return _ID.sub(number, _DATE.sub(b"\r\ndate: <date>\r\n", data))


async def settle() -> None:
    """Let everything happen that can without more bytes or time: until nothing is ready in two rounds of the loop."""
    loop, idle = asyncio.get_running_loop(), 0
    for _ in range(MOST_ROUNDS):
        await asyncio.sleep(0)
        idle = idle + 1 if not loop._ready else 0  # type: ignore[attr-defined]  # asyncio's own, of a `ClockLoop`
        if idle == 2:
            return
    raise AssertionError("The event loop does not come to rest.")


def run_script(build: Callable[[], ScriptedRouter], script: Script) -> Outcome:
    """Run a script on a router of its own, and tell what came of it a second after its end."""

    async def run() -> Outcome:
        async with build() as router:
            await router.play([*script, Store("answers"), Wait(1.0)])
            return await router.observe()

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(run())


def _place(trail: Trail) -> tuple[object, ...]:
    ended = trail.started * 1_000 + (trail.duration_ms or 0)
    decided = repr(trail.decision)
    return ended, trail.started, trail.affinity_id or "", trail.status or 0, len(trail.tries), decided


def _tell(trail: Trail) -> list[object]:
    """Tell a record; of its trace, what its spans are made of, its ids as they are sent."""
    trace = trail.trace
    trail = replace(trail, answered=None, noted=tuple(trail.tries))  # which of the two holds them is nobody's business
    if trace is None:
        return [trail]
    parts = (trace.context(0).headers, trace.parent, trace.attributes, trace.sendings, trace.request, trace.head)
    return [replace(trail, trace=None), *parts, bytes(trace.reply)]


def _find_attributes(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-")}


def _wall_clock() -> float:
    return WALL_SECONDS + asyncio.get_running_loop().time()
