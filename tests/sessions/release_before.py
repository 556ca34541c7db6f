"""The session store's code of the release before pins had deployments: what it writes, reads and compares."""

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

MAX_SWITCHES = 16


@dataclass(frozen=True, slots=True)
class Switch:
    at: float
    from_model: str
    to_model: str
    reason: Literal["model_removed", "upstream_failed", "unsuitable"]
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Pin:
    model: str
    route: str | None
    reason: Literal["first_turn", "hint"]
    pinned_at: float
    lineage: str
    moves: int = 0
    switches: tuple[Switch, ...] = ()

    def move(
        self,
        model: str,
        route: str | None,
        reason: Literal["model_removed", "upstream_failed", "unsuitable"],
        at: float,
        because: str | None = None,
    ) -> "Pin":
        switches = (*self.switches, Switch(at, self.model, model, reason, because))[-MAX_SWITCHES:]
        return replace(self, model=model, route=route, moves=self.moves + 1, switches=switches)


PIN = msgspec.json.Decoder(Pin)

MOVE = """
local held = redis.pcall('GET', KEYS[1])
if type(held) ~= 'string' then return false end
local ok, pin = pcall(cjson.decode, held)
if ok and type(pin) == 'table' and pin.lineage == ARGV[1] and pin.moves == tonumber(ARGV[2])
  and pin.model == ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
  return ARGV[4]
end
return held
"""

WRITTEN = (
    b'{"model":"openai/gpt-4o","route":"r","reason":"first_turn","pinned_at":1700000000.5,"lineage":"1","moves":0,'
    b'"switches":[]}'
)
"""What it wrote of a pin."""

WRITTEN_MOVED = (
    b'{"model":"anthropic/claude","route":"r","reason":"first_turn","pinned_at":1700000000.5,"lineage":"1","moves":1,'
    b'"switches":[{"at":1.0,"from_model":"openai/gpt-4o","to_model":"anthropic/claude","reason":"unsuitable",'
    b'"because":"images"}]}'
)
"""What it wrote of that pin once it had moved."""
