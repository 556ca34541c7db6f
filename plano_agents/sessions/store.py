"""What every session store does, whatever it keeps pins in."""

from typing import Protocol

from plano_agents.sessions.pin import Pin, SessionKey


class SessionStore(Protocol):
    """Keeps one pin per session, for as long as its sessions are used.

    A session is in use between `open` and `close`: it does not expire and is not evicted while another can be.
    """

    async def open(self, key: SessionKey) -> None:
        """Begin a request of a session; a live pin stays alive until the request ends."""

    async def get(self, key: SessionKey) -> Pin | None:
        """Read the live pin of a session in use, or None when there is none."""

    async def pin(self, key: SessionKey, pin: Pin) -> Pin:
        """Pin a session if no live pin is there, in one atomic step.

        Returns:
            The pin that holds: this one, or the one that was there first.
        """

    async def move(self, key: SessionKey, old: Pin, new: Pin) -> Pin | None:
        """Replace a pin, if it still is the one known, in one atomic step.

        Returns:
            The pin that holds now: the new one, another's, or None when the old one has ended.
        """

    async def close(self, key: SessionKey) -> None:
        """End a request of a session; its idle time starts now. Every `open` is followed by one."""

    async def drop(self, key: SessionKey) -> bool:
        """Forget a session's pin.

        Returns:
            Whether there was one.
        """
