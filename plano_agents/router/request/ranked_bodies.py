"""The rankings of whole bodies that were routed before: one that comes again, byte for byte, is not even read.

Agents of one kind begin alike, and loops, retries and evaluations send the very same first request. Kept are a body's
length, its hash, which no client can foresee, and the ranking; nothing of a text.
"""

from plano_agents.routing.strategy import Ranking

REMEMBERED = 1_024
"""Of how many bodies the ranking is known, the one that was kept first goes first."""


class RankedBodies:
    """Rankings by the bodies that they are of, under one configuration whose preferences stay as they are.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._rankings: dict[tuple[str, int, int], Ranking] = {}

    def find(self, path: str, body: bytes) -> Ranking | None:
        """Find a body's ranking; None where it is not known.

        Args:
            path: The endpoint that it was posted to, which says how it is read.
            body: The body.
        """
        return self._rankings.get((path, len(body), hash(body)))

    def keep(self, path: str, body: bytes, ranking: Ranking) -> None:
        """Keep the ranking of a body that was read, and found to be a request.

        Args:
            path: See `find`.
            body: The body.
            ranking: Its ranking.
        """
        self._rankings[path, len(body), hash(body)] = ranking
        if len(self._rankings) > self._most:
            del self._rankings[next(iter(self._rankings))]
