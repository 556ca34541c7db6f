"""Running applications on sockets until told to stop, in one process or in several.

``server`` starts and stops, ``supervisor`` does so with several processes (``worker``), whose life ``heartbeat`` shows;
``sockets`` takes ports, ``activation`` the service manager's sockets. HTTP/1.1 is read by ``http.server``; what the
applications do is theirs.
"""

from plano_agents.http.server.limits import HttpLimits
from plano_agents.processes.activation import tell_ready
from plano_agents.processes.server import Site, run, running, serve
from plano_agents.processes.sockets import (
    bind,
    bind_each,
    check_exposure,
    is_loopback,
    open_listeners,
    say_open,
    url_of,
)
from plano_agents.processes.supervisor import Patience, Supervisor, check_can_fork
from plano_agents.processes.worker import Parent, Worker

__all__ = [
    "HttpLimits",
    "Parent",
    "Patience",
    "Site",
    "Supervisor",
    "Worker",
    "bind",
    "bind_each",
    "check_can_fork",
    "check_exposure",
    "is_loopback",
    "open_listeners",
    "run",
    "running",
    "say_open",
    "serve",
    "tell_ready",
    "url_of",
]
