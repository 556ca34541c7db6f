"""The memory that the fast path may learn bodies in."""

from unittest.mock import Mock

from plano_agents.config.options import Limits
from plano_agents.router.request.fast_service import MAX_LEARNT_BYTES, FastService


async def test_what_was_learnt_is_forgotten_where_it_becomes_too_much_and_learning_begins_anew() -> None:
    parts = {name: Mock() for name in ("admission", "answer", "upstream", "on_refused")}
    service = FastService(Mock(), Limits(), counts={}, **parts)
    forgotten: list[str] = []
    half = MAX_LEARNT_BYTES // 2
    service.note_learnt(half, lambda: forgotten.append("a"))
    service.note_learnt(half, lambda: forgotten.append("b"))
    assert forgotten == []
    service.note_learnt(1, lambda: forgotten.append("c"))
    assert sorted(forgotten) == ["a", "b", "c"]
    service.note_learnt(half, lambda: forgotten.append("d"))
    service.note_learnt(half, lambda: forgotten.append("e"))
    assert len(forgotten) == 3
