"""Addresses of Redis and Valkey: one server, the master that Sentinels name, or a Cluster.

======================================================================  ==========================================
``redis://[user:password@]host[:port][/database]``                      one server; port 6379
``redis+sentinel://[user:password@]host[:port],…/service[/database]``   the service's master; ports are the
                                                                        Sentinels', 26379 by default
``redis+cluster://[user:password@]host[:port],…``                       a Cluster, by some of its nodes; port 6379
======================================================================  ==========================================

``rediss`` in place of ``redis`` is TLS. Behind ``?`` stand redis-py's options, such as ``ssl_ca_certs``; for Sentinels
also ``sentinel_username`` and ``sentinel_password``, where they ask for one; and for Sentinels and a Cluster ``nat``:
``announced=reachable,…`` names the address by which a server that announces another is reached from here.
"""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

StoreKind = Literal["server", "sentinel", "cluster"]

_KINDS: dict[str, StoreKind] = {"": "server", "+sentinel": "sentinel", "+cluster": "cluster"}
_PORT, _SENTINEL_PORT = 6379, 26379


@dataclass(frozen=True, slots=True)
class Node:
    """The address of one server."""

    host: str
    """Its name or IP address, without brackets."""
    port: int
    """Its port."""

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A store's address, in its parts."""

    kind: StoreKind
    """How its servers work together."""
    is_tls: bool
    """Whether they are spoken to over TLS."""
    nodes: tuple[Node, ...]
    """The server; the Sentinels; or some nodes of the Cluster. At least one."""
    service: str = ""
    """The master's name among the Sentinels."""
    path: str = ""
    """The database, as it is written."""
    credentials: str = field(default="", repr=False)
    """User and password for servers, as they are written, with an ``@`` at the end; empty for none."""
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The options for servers."""
    sentinel_options: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """What Sentinels want to know of who asks: ``username`` and ``password``."""
    nat: tuple[tuple[Node, Node], ...] = ()
    """The addresses that servers announce, each with the one by which it is reached from here."""

    @property
    def name(self) -> str:
        """The address without user, password and options."""
        scheme = self._scheme + next(end for end, kind in _KINDS.items() if kind == self.kind)
        service = f"/{self.service}" if self.service else ""
        return f"{scheme}://{','.join(map(str, self.nodes))}{service}"

    def for_server(self, node: Node) -> str:
        """Write the address of one of its servers as redis-py reads it."""
        path = f"/{self.path}" if self.path else ""
        query = f"?{urlencode(self.options)}" if self.options else ""
        return f"{self._scheme}://{self.credentials}{node}{path}{query}"

    def reach(self, announced: Node) -> Node:
        """Find the address by which a server is reached from here; its own, where the store's address names none."""
        return next((reachable for each, reachable in self.nat if each == announced), announced)

    @property
    def _scheme(self) -> str:
        return "rediss" if self.is_tls else "redis"


def parse_store_url(url: str) -> StoreUrl:
    """Read a store's address.

    Raises:
        ValueError: It has none of the forms above; the message tells no secret.
    """
    parts = urlsplit(url)
    scheme, plus, kind = parts.scheme.partition("+")
    if scheme not in {"redis", "rediss"} or plus + kind not in _KINDS:
        raise ValueError("it begins with none of redis://, redis+sentinel:// and redis+cluster://, nor with rediss")
    found = _KINDS[plus + kind]
    credentials, at, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_parse_node(host, _SENTINEL_PORT if found == "sentinel" else _PORT) for host in hosts.split(","))
    path = parts.path.strip("/")
    service = ""
    if found == "sentinel":
        service, _, path = path.partition("/")
        if not service:
            raise ValueError("it lacks the master's name among the Sentinels, such as /mymaster at its end")
    if found == "server" and len(nodes) > 1:
        raise ValueError("it names several servers. Write redis+sentinel:// or redis+cluster:// before them")
    if found == "cluster" and path not in {"", "0"}:
        raise ValueError("it names a database, and a Cluster has one alone. Leave it out")
    options = parse_qsl(parts.query, keep_blank_values=True)
    nat: tuple[tuple[Node, Node], ...] = ()
    if found != "server":
        nat = tuple(_parse_nat(entry) for name, value in options if name == "nat" for entry in value.split(","))
        options = [(name, value) for name, value in options if name != "nat"]
    return StoreUrl(
        *(found, scheme == "rediss", nodes, unquote(service), path, credentials + at),
        options=tuple(each for each in options if not _is_for_sentinels(each[0], found)),
        sentinel_options=tuple(
            (name.removeprefix("sentinel_"), value) for name, value in options if _is_for_sentinels(name, found)
        ),
        nat=nat,
    )


def _is_for_sentinels(option: str, kind: StoreKind) -> bool:
    return kind == "sentinel" and option in {"sentinel_username", "sentinel_password"}


def _parse_nat(entry: str) -> tuple[Node, Node]:
    announced, equals, reachable = entry.partition("=")
    if not equals:
        raise ValueError("its nat has an entry that is not announced=reachable, such as 10.0.0.5:6379=localhost:7001")
    return _parse_node(announced, _PORT), _parse_node(reachable, _PORT)


def _parse_node(text: str, default_port: int) -> Node:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:  # its message may tell a part of a password that is not written as URLs want it
        raise ValueError("one of its ports is no number up to 65535") from None
    if not host:
        raise ValueError("it lacks a host")
    if port == 0:
        raise ValueError("one of its ports is 0")
    return Node(unquote(host), port if port is not None else default_port)
