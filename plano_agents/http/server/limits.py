"""The limits that a server sets to each of its clients."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of one client."""

    header_seconds: float = 15.0
    """How long a request's head may take, from its first byte."""
    body_seconds: float = 15.0
    """Over how long the least rate of a body is averaged."""
    send_seconds: float = 60.0
    """Over how long the least rate of an answer that waits for its client is averaged."""
    min_bytes_per_second: int = 1024
    """The least rate at which a client has to send a body, and to take an answer."""
    max_header_bytes: int = 65_536
    """How long a head may be."""
    keep_alive_seconds: float = 75.0
    """How long a connection may be idle between requests: longer than clients keep theirs, or they send into one that
    was just closed."""
    farewell_seconds: float = 1.0
    """How long an idle connection stays open for one more request once the server stops: the answer says that the
    connection closes. A client that had just sent one would lose it otherwise."""

    def count_least(self, seconds: float) -> int:
        """Count the bytes that have to move in so many seconds; at least one."""
        return max(1, int(self.min_bytes_per_second * seconds))
