"""A scripted week of traffic: the report's figures equal those computed from the script."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import mean, variance

import pytest

from plano_agents.protocol.usage import Tokens
from plano_agents.router.watch.ghosts.report import Report, build_report
from tests.router.watch.ghosts.conftest import BIG, MODELS, PRICES, SMALL, World

DAY = 86_400
SHARE = 0.4
Z = 1.959963984540054


@dataclass(frozen=True)
class Line:
    """One turn of the script."""

    at: float
    session: str
    kind: str
    tokens: Tokens
    kept: str
    """The model of the session's first turn."""
    before: str | None
    """The model of the turn before by its own kind; None for a first turn."""

    @property
    def would_switch(self) -> bool:
        return self.before is not None and self.before != MODELS[self.kind]

    @property
    def anew(self) -> int:
        return self.tokens.cached if self.would_switch else 0

    @property
    def saved(self) -> float:
        return price(MODELS[self.kind], self.tokens._replace(cached=self.tokens.cached - self.anew)) - price(
            self.kept, self.tokens
        )


def price(model: str, tokens: Tokens) -> float:
    known = PRICES[model]
    figures = (known.input_usd_per_million, known.cached_usd_per_million, known.output_usd_per_million)
    counts = (tokens.input - tokens.cached, tokens.cached, tokens.output)
    return sum(count * (usd or 0.0) for count, usd in zip(counts, figures, strict=True)) / 1e6


def write_script(start: float) -> list[Line]:
    """Write a week: 6 sessions a day, of 2 to 12 turns each, the prompt growing."""
    draw = random.Random(18)
    lines: list[Line] = []
    for day in range(7):
        for number in range(6):
            kinds = draw.choices(["code", "talk"], k=draw.randint(2, 12))
            models = [MODELS[kind] for kind in kinds]
            begins = start + day * DAY + draw.uniform(0, 20 * 3_600)
            prompt = draw.randint(900, 3_000)
            for turn, kind in enumerate(kinds):
                tokens = Tokens(prompt, draw.randint(10, 400), 0 if turn == 0 else prompt // 128 * 128 - 128)
                before = models[turn - 1] if turn else None
                lines.append(Line(begins + turn * 30, f"d{day}-s{number}", kind, tokens, models[0], before))
                prompt += draw.randint(50, 900)
    return sorted(lines, key=lambda line: line.at)


async def play(world: World, script: Sequence[Line]) -> None:
    for line in script:
        world.time.now = line.at
        seen = await world.say(line.session, f"Some {line.kind}", line.tokens)
        assert seen.headers["x-plano-model"] == line.kept
        await world.beside.settle()


async def report(world: World, since: datetime) -> Report:
    found = await world.days.read(since.date())
    return build_report(found, observe=SHARE, since=since.date(), began_at=world.days.began_at)


def midnight(world: World) -> datetime:
    return datetime.fromtimestamp(world.time.now - world.time.now % DAY, UTC)


async def test_a_sampled_week_is_reported_as_the_script_says() -> None:
    world = World(share=SHARE, chance=random.Random(5).random)
    start = midnight(world)
    script = write_script(start.timestamp())
    await play(world, script)

    draws = random.Random(5)
    pinned = [line for line in script if line.before is not None]
    seen = [line for line in pinned if draws.random() < SHARE]
    size, count = len(pinned), len(seen)
    assert count > 60

    told = await report(world, start)
    assert (told.basis.pinned_turns, told.basis.routed, told.basis.compared) == (size, count, count)
    assert (told.basis.metered, told.basis.priced, told.basis.shares) == (count, count, [SHARE])
    assert (told.basis.dropped, told.basis.failed) == (0, 0)
    assert told.sampled.would_be_switches == sum(line.would_switch for line in seen)
    assert told.sampled.prompt_tokens == sum(line.tokens.input for line in seen)
    assert told.sampled.tokens_read_anew == sum(line.anew for line in seen)
    assert told.sampled.usd_with_affinity == pytest.approx(sum(price(line.kept, line.tokens) for line in seen))
    assert told.sampled.usd_without_affinity - told.sampled.usd_with_affinity == pytest.approx(
        sum(line.saved for line in seen)
    )

    assert told.estimated is not None
    share = sum(line.would_switch for line in seen) / count
    effective = count * (size - 1) / (size - count)
    middle = (share + Z**2 / (2 * effective)) / (1 + Z**2 / effective)
    half = Z / (1 + Z**2 / effective) * math.sqrt(share * (1 - share) / effective + (Z / (2 * effective)) ** 2)
    found = told.estimated.switch_share
    assert (found.estimate, found.low, found.high) == pytest.approx((share, middle - half, middle + half))
    assert told.estimated.would_be_switches.estimate == pytest.approx(size * share)
    for figure, values in (
        (told.estimated.tokens_read_anew, [float(line.anew) for line in seen]),
        (told.estimated.usd_saved, [line.saved for line in seen]),
    ):
        error = Z * size * math.sqrt(variance(values) / count * (1 - count / size))
        total = size * mean(values)
        assert (figure.estimate, figure.low, figure.high) == pytest.approx((total, total - error, total + error))
        assert not figure.is_rough


async def test_a_week_that_is_routed_whole_is_reported_without_a_margin_and_by_day() -> None:
    world = World()
    start = midnight(world)
    script = write_script(start.timestamp())
    await play(world, script)
    pinned = [line for line in script if line.before is not None]
    told = await report(world, start)
    assert told.estimated is not None
    truth = float(sum(line.anew for line in pinned))
    figure = told.estimated.tokens_read_anew
    assert (figure.estimate, figure.low, figure.high) == pytest.approx((truth, truth, truth))
    assert told.estimated.would_be_switches.estimate == pytest.approx(sum(line.would_switch for line in pinned))
    assert told.estimated.usd_saved.estimate == pytest.approx(sum(line.saved for line in pinned))
    assert len(told.days) == 7
    for number, day in enumerate(told.days):
        of_day = [line for line in pinned if line.session.startswith(f"d{number}-")]
        assert day.day == (start + timedelta(days=number)).date()
        assert day.basis.pinned_turns == len(of_day)
        assert day.sampled.tokens_read_anew == sum(line.anew for line in of_day)
    late = await report(world, start + timedelta(days=5))
    assert late.basis.pinned_turns == sum(day.basis.pinned_turns for day in told.days[5:])


async def test_a_models_other_price_is_told_too_where_affinity_cost_more() -> None:
    """A session that stays on the dear model without need is dearer, cache or none: the figure is below 0."""
    world = World()
    since = midnight(world)
    for kind in ("code", *["talk"] * 40):
        await world.say("s", f"Some {kind}", Tokens(10_000, 500, 9_000))
    await world.beside.settle()
    told = await report(world, since)
    assert told.estimated is not None
    assert told.estimated.usd_saved.estimate < 0
    assert {BIG, SMALL} == set(MODELS.values())


async def test_without_turns_there_is_no_figure() -> None:
    world = World()
    told = await report(world, midnight(world))
    assert (told.basis.pinned_turns, told.estimated, told.days) == (0, None, [])


async def test_a_share_that_was_changed_makes_strata() -> None:
    world = World(share=0.5, chance=random.Random(1).random)
    since = midnight(world)
    for number in range(41):
        await world.say("s", f"Some {'code' if number % 2 else 'talk'}", Tokens(1_000, 10, 900))
    await world.beside.settle()
    sums = world.days.change(world.time.now, 1.0)
    for ghost in [each for each in world.told for _ in range(10)]:
        sums.pinned += 1
        sums.add(ghost)
    told = await report(world, since)
    assert told.basis.shares == [0.5, 1.0]
    assert told.estimated is not None
    assert told.estimated.tokens_read_anew.estimate == pytest.approx(900 * told.basis.pinned_turns)
