"""Resident memory over every way a request can end, with large bodies and no collector."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.leftovers import collector_off, leave_out_what_is_there, wait_until_gone
from tests.router.test_endings import ENDINGS, KINDS, PATHS, Ending, run_scene

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

BODY_BYTES = 20_000_000
WARM_UP = 3
TIMES = 25


def read_resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def measure_growth(ending: Ending) -> int:
    """Measure by how many bytes the process grows while requests end so."""
    async with run_scene(ending, PATHS[0]) as scene:
        scene.body_bytes = BODY_BYTES
        leave_out_what_is_there()
        before = 0
        for number in range(WARM_UP + TIMES):
            if number == WARM_UP:
                await wait_until_gone(KINDS)
                before = read_resident_bytes()
            scene.asked.clear()
            status = await ending.client(scene)
            assert number < WARM_UP or status == ending.status
        await wait_until_gone(KINDS)
        return read_resident_bytes() - before


async def test_large_bodies_leave_no_memory_taken_however_their_requests_end(
    show: Callable[[str], None],
) -> None:
    with collector_off():
        growth = {way: await measure_growth(ending) for way, ending in ENDINGS.items()}
    worst = max(growth, key=lambda way: growth[way])
    show(
        f"memory after {TIMES} requests of {BODY_BYTES / 1e6:g} MB of each of {len(growth)} endings: the most growth is "
        f"{growth[worst] / 1e6:.1f} MB ({worst}), the sum {sum(growth.values()) / 1e6:.1f} MB"
    )
    assert growth[worst] <= 2 * BODY_BYTES
