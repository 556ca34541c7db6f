"""Running ASGI applications on sockets until told to stop, safe from what hostile clients send.

``server`` starts and stops, ``sockets`` takes ports, ``protocol`` (with ``head``, ``body`` and ``deadline``) reads
HTTP/1.1 in uvicorn's place. What the applications do is theirs.
"""

from plano_agents.serving.protocol import HttpLimits
from plano_agents.serving.server import Site, run, running, serve
from plano_agents.serving.sockets import bind, check_exposure, is_loopback, url_of

__all__ = ["HttpLimits", "Site", "bind", "check_exposure", "is_loopback", "run", "running", "serve", "url_of"]
