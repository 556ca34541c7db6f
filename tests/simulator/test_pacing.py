import pytest

from plano_agents.simulator.pacing import Pacer, pace
from plano_agents.simulator.wire.events import Event


class Timer:
    """A clock that its own sleep moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def timer() -> Timer:
    return Timer()


async def test_the_first_token_waits_and_the_rest_follow_the_rate(timer: Timer) -> None:
    pacer = Pacer(200, 10, clock=timer.clock, sleep=timer.sleep)
    times = []
    for tokens in (0, 1, 5):
        await pacer.wait(tokens)
        times.append(round(timer.now - 50, 6))
    assert times == [0.2, 0.3, 0.7]


async def test_without_a_rate_all_follows_the_first_token_at_once(timer: Timer) -> None:
    await Pacer(200, clock=timer.clock, sleep=timer.sleep).wait(1000)
    assert timer.now == pytest.approx(50.2)


async def test_a_late_wake_up_is_made_up_for(timer: Timer) -> None:
    pacer = Pacer(0, 10, clock=timer.clock, sleep=timer.sleep)
    timer.now += 3
    await pacer.wait(20)
    assert timer.now == 53.0


async def test_a_streams_events_are_let_out_when_due(timer: Timer) -> None:
    events = [Event(b"a"), Event(b"b", 5), Event(b"c", 5)]
    pacer = Pacer(100, 10, clock=timer.clock, sleep=timer.sleep)
    seen = [(data, round(timer.now - 50, 6)) async for data in pace(events, pacer)]
    assert seen == [(b"a", 0.1), (b"b", 0.6), (b"c", 1.1)]
