"""A relay between a client and the router that keeps what the client sent and what the router answered."""

import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request and the head of its answer."""

    path: str
    """The request's path, without the query."""
    request: dict[str, str]
    """Its headers, by lower-case name."""
    body: dict[str, Any]
    """Its body."""
    status: int
    """The answer's status."""
    answer: dict[str, str]
    """The answer's headers, by lower-case name."""
    error: str
    """The answer's body where it is an error."""

    @property
    def lane(self) -> str:
        """The kind of lane that the router tells: ``main``, ``side``, ``agent``, or ``none``."""
        _, _, lane = self.answer.get("x-plano-session", "").partition("; lane=")
        return lane.partition("/")[0] or "none"

    def offers(self, tool: str) -> bool:
        """Check whether a tool whose name ends so is offered."""
        return f'{tool}"' in json.dumps(self.body.get("tools"))


class Tap(ThreadingHTTPServer):
    """The relay; it serves in a thread of its own within a ``with``.

    Args:
        target: Where it relays to.
    """

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.exchanges: list[Exchanged] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Tap

    def do_POST(self) -> None:
        self._relay(self.rfile.read(int(self.headers["content-length"])))

    def do_GET(self) -> None:
        self._relay(b"{}")

    def _relay(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.server.target)
        try:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_HOP}
            upstream.request(self.command, self.path, body, kept)
            answer = upstream.getresponse()
            error = answer.read() if answer.status >= 400 else b""
            self._keep(body, answer, error)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_HOP:
                    self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            while piece := error or answer.read1():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                error = b""
            self.wfile.write(b"0\r\n\r\n")
        finally:
            upstream.close()

    def _keep(self, body: bytes, answer: http.client.HTTPResponse, error: bytes) -> None:
        request = {name.lower(): value for name, value in self.headers.items()}
        answered = {name.lower(): value for name, value in answer.getheaders()}
        path = self.path.partition("?")[0]
        found = Exchanged(path, request, json.loads(body), answer.status, answered, error.decode())
        self.server.exchanges.append(found)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
