"""Sums of many ghosts: counts, and the powers from which margins are computed. They can be added up over processes."""

from collections.abc import Mapping

import msgspec

from plano_agents.router.watch.ghosts.ghost import Ghost


class Moments(msgspec.Struct, gc=False):
    """The sums of a quantity's first three powers; of turns that it does not concern it is 0."""

    sum: float = 0.0
    """The quantity's own."""
    squares: float = 0.0
    """Its squares'."""
    cubes: float = 0.0
    """Its cubes'."""

    def add(self, value: float) -> None:
        """Add one turn's."""
        self.sum += value
        self.squares += value**2
        self.cubes += value**3

    def merge(self, other: "Moments") -> None:
        """Add another's sums."""
        self.sum += other.sum
        self.squares += other.squares
        self.cubes += other.cubes


class Sums(msgspec.Struct, gc=False):
    """The pinned turns of a day that were sampled with one share, and their ghosts."""

    pinned: int = 0
    """Pinned turns that were served, sampled or not."""
    dropped: int = 0
    """Sampled turns that were not routed, for too many waited."""
    failed: int = 0
    """Sampled turns whose routing failed."""
    routed: int = 0
    """Sampled turns that were routed."""
    compared: int = 0
    """Of these, those whose transcript holds the turn before."""
    metered: int = 0
    """Of these, those whose tokens the provider reported."""
    priced: int = 0
    """Of these, those whose list prices are known."""
    switches: int = 0
    """Would-be switches."""
    input: int = 0
    """Prompt tokens of the metered turns."""
    kept_usd: float = 0.0
    """The priced turns' list price as they were served."""
    usd: float = 0.0
    """Their list price without affinity."""
    anew: Moments = msgspec.field(default_factory=Moments)
    """Prompt tokens that would have been read anew."""
    saved_usd: Moments = msgspec.field(default_factory=Moments)
    """List price without affinity less the list price as served."""
    routing_ms: Moments = msgspec.field(default_factory=Moments)
    """How long routing took, in milliseconds."""

    def add(self, ghost: Ghost) -> None:
        """Add a turn that was routed."""
        self.routed += 1
        self.routing_ms.add(ghost.routing_ms)
        self.compared += ghost.is_compared
        self.switches += ghost.is_switch
        self.metered += ghost.input > 0
        self.input += ghost.input
        self.anew.add(ghost.anew)
        if ghost.usd is not None and ghost.kept_usd is not None:
            self.priced += 1
            self.kept_usd += ghost.kept_usd
            self.usd += ghost.usd
            self.saved_usd.add(ghost.usd - ghost.kept_usd)

    def merge(self, other: "Sums") -> None:
        """Add another's sums."""
        for name in self.__struct_fields__:
            mine, its = getattr(self, name), getattr(other, name)
            if isinstance(mine, Moments):
                mine.merge(its)
            else:
                setattr(self, name, mine + its)


Shares = dict[float, Sums]
"""A day's sums, by the share of turns that was sampled."""


class _Kept(msgspec.Struct):
    """A share and its sums, as they are kept."""

    share: float
    sums: Sums


_DECODER = msgspec.json.Decoder(list[_Kept])


def encode_shares(shares: Mapping[float, Sums]) -> bytes:
    """Write a day's sums."""
    return msgspec.json.encode([_Kept(share, sums) for share, sums in shares.items()])


def decode_shares(content: bytes) -> Shares:
    """Read what `encode_shares` wrote; nothing where it is none of that."""
    try:
        return {each.share: each.sums for each in _DECODER.decode(content)}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def merge_shares(into: Shares, others: Mapping[float, Sums]) -> None:
    """Add sums, share by share."""
    for share, sums in others.items():
        into.setdefault(share, Sums()).merge(sums)
