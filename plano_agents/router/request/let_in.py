"""The door of the proxied endpoints, as they know it: who decides there is `router.operate`'s business."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from plano_agents.http_syntax import Header


class Admitted(NamedTuple):
    """A client that was let in."""

    headers: Sequence[Header]
    """The request's headers without those that hold the client's key: they are for the router and go no further."""
    client: str
    """The name of the client's key; empty where it has none."""


LetIn = Callable[[str, Sequence[Header], str | None], Admitted]
"""Lets a client in, by its request's method, headers and the address it came from; raises the refusal."""
