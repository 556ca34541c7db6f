"""The order in which a model's deployments are asked: the pinned one, then the others by weight, then resting ones.

Weighted rendezvous hashing (Schindelhauer & Schomaker, 2005) gives each session an order of its own: with weights w and
w', the first comes before the second for w / (w + w') of all sessions. So new sessions spread by weight, those of a
deployment that fails spread over the others by theirs, and all replicas come to the same order, as far as they know the
same of the deployments' health. Requests of no session are spread by chance.
"""

import hashlib
import math
import random
from collections.abc import Callable, Sequence

from plano_agents.router.request.candidates import Served
from plano_agents.sessions.pin import SessionKey

_HASH_BYTES = 8
_HASHES = float(2 ** (8 * _HASH_BYTES))


def order_deployments(
    deployments: Sequence[Served],
    key: SessionKey | None,
    pinned: str | None,
    *,
    is_down: Callable[[str], bool],
    chance: Callable[[], float] = random.random,
) -> list[Served]:
    """Order a model's deployments.

    Args:
        deployments: As they are configured.
        key: The session; None without one.
        pinned: The deployment that the session is pinned to; None where it is to none.
        is_down: Whether an upstream is resting or its circuit breaker open, by its name.
        chance: Gives numbers from 0 to 1.
    """

    def rank(served: Served) -> tuple[bool, bool, float]:
        drawn = draw(key, served.deployment or "") if key is not None else chance()
        score = -served.weight / math.log(min(max(drawn, 1e-18), 1 - 1e-15))
        return served.deployment != pinned or pinned is None, is_down(served.upstream), -score

    return sorted(deployments, key=rank)


def draw(key: SessionKey, deployment: str) -> float:
    """Draw a number from 0 to 1 that a session has for a deployment, the same on all replicas."""
    tenant = key.tenant.encode("utf-8", "surrogatepass")
    parts = b"%d:%b:%b:%b" % (len(tenant), tenant, deployment.encode(), key.affinity_id.encode())
    digest = hashlib.blake2b(parts, digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big") / _HASHES
