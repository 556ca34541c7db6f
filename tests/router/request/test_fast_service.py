"""The memory that the fast path may learn bodies in."""

from unittest.mock import Mock

from plano_agents.config.options import Limits
from plano_agents.protocol.outline import NO_BEGINNING, Beginning
from plano_agents.router.request.fast_path import FastPath
from plano_agents.router.request.fast_service import MAX_LEARNT_BYTES, FastService


class Learner:
    def __init__(self) -> None:
        self.forgets = 0

    def forget_outlines(self) -> None:
        self.forgets += 1


async def test_what_was_learnt_is_forgotten_where_it_becomes_too_much_and_learning_begins_anew() -> None:
    service = build_service()
    learners = [Learner() for _ in range(3)]
    half = MAX_LEARNT_BYTES // 2
    for learner, size in zip(learners, (half, half, 1), strict=True):
        assert [each.forgets for each in learners] == [0, 0, 0]
        service.learners.add(learner)
        service.note_learnt(size)
    assert [each.forgets for each in learners] == [1, 1, 1]
    service.learners.add(learners[0])
    service.note_learnt(half)
    service.note_learnt(half)
    assert [each.forgets for each in learners] == [1, 1, 1]
    service.note_learnt(1)
    assert [each.forgets for each in learners] == [2, 1, 1]


async def test_nobody_is_kept_for_having_learnt() -> None:
    service = build_service()
    learner = Learner()
    service.learners.add(learner)
    service.note_learnt(1)
    del learner
    assert not service.learners


async def test_a_configuration_that_is_served_no_more_keeps_nothing_of_its_requests() -> None:
    service, key = build_service(), (0, b"run-1")
    learner = Learner()
    service.learners.add(learner)
    service.beginnings.keep(key, Beginning(b'[{"role":"user"}'), 0)
    FastPath(service, Mock()).retire()
    assert (service.beginnings.find(key), learner.forgets) == (NO_BEGINNING, 1)


def build_service() -> FastService:
    parts = {name: Mock() for name in ("admission", "answer", "upstream", "on_refused")}
    service = Mock()
    service.turns.id_headers = ()
    return FastService(service, Limits(), counts={}, **parts)
