"""Streams cut at every byte: whatever an SDK takes for a whole answer is one."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from plano_agents.testing import FakeUpstream
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.router_process import start_router, write_config
from tests.faults.wires import (
    CHAT_STREAM,
    FRAMINGS,
    MESSAGES_STREAM,
    READERS,
    SDK_ERRORS,
    TEXT,
    Sdks,
    answer_framed,
)
from tests.soak.fast_share import read_fast_share

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

CLIENTS = 8
STREAMS = {"openai": CHAT_STREAM, "anthropic": MESSAGES_STREAM}
WIRES = {
    f"{provider}/{provider}-{framing}": (framing, FRAMINGS[framing](stream))
    for provider, stream in STREAMS.items()
    for framing in FRAMINGS
}
"""Each model speaks its provider's wire in one framing: that, and its whole answer."""
FAILURE = re.compile(
    r" trace [0-9a-f]{32}: \S+ failed \(upstream_\w+\): .*; no model answered| lines dropped, for nobody read them in time"
)
"""What a router says of cuts before a stream's beginning; nobody reads it until the end."""


def cuts(answer: bytes) -> Iterator[Fault]:
    """A cut before each byte, in order and by a reset."""
    for kept in range(len(answer)):
        yield Fault(cut_after=kept)
        yield Fault(cut_after=kept, ending="reset")


@pytest.mark.parametrize("surface", READERS)
async def test_no_cut_stream_is_taken_for_a_whole_answer(
    surface: str, tmp_path: Path, show: Callable[[str], None]
) -> None:
    outcomes: Counter[str] = Counter()
    # Which request meets which cut is left to chance; every cut is met once.
    requests = itertools.chain.from_iterable([model] * 2 * len(answer) for model, (_, answer) in WIRES.items())

    async def read(sdks: Sdks) -> None:
        for model in requests:
            try:
                text = await READERS[surface](sdks, model)
            except SDK_ERRORS:
                outcomes["error"] += 1
            else:
                outcomes["whole" if text == TEXT else "false success"] += 1

    async with AsyncExitStack() as stack:
        urls = {}
        for model, (framing, answer) in WIRES.items():
            provider = await stack.enter_async_context(FakeUpstream(answer_framed(framing)))
            proxy = FaultProxy(provider.url, answers=cuts(answer))
            urls[model] = (await stack.enter_async_context(proxy)).url
        config = write_config(tmp_path, urls, retries={"max_per_candidate": 0}, breaker={"failures": 1_000_000})
        router = await stack.enter_async_context(start_router(config))
        sdks = await stack.enter_async_context(Sdks(router.url))
        await asyncio.gather(*(read(sdks) for _ in range(CLIENTS)))
        share = await read_fast_share(router.url)
        code, errors = await router.stop()
    show(
        f"cut streams, {surface}: {outcomes.total():,} requests, {dict(outcomes)}; begun by the fast path "
        f"{share.begun:.0%}, finished {share.finished:.0%}"
    )
    assert outcomes["false success"] == 0
    assert outcomes["error"] > 10_000
    # Half of the wires are the surface's own. The provider is not at Anthropic's own address, so signatures are marked
    # in what it answers, which is the story's work, as translating responses is.
    assert share.begun > 0.4 or surface != "chat"
    assert (code, [line for line in errors.splitlines() if FAILURE.search(line) is None]) == (0, [])
