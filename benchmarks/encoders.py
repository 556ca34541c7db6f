"""The cost of encoding a text, by NumPy and by ONNX Runtime, and what an event loop beside it is delayed.

Run it with ``scripts/uv run --group dev benchmarks/encoders.py``. Times are those of a core, whatever else is busy. For
the delay a loop in one thread is due every millisecond while another thread encodes one text after the other; how late
it comes is told beside how late it comes with nothing encoded, in turns.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from threadpoolctl import threadpool_limits

from plano_agents.routing.embedded.encoder import Encoder, Encodes
from plano_agents.routing.embedded.fast_encoder import FastEncoder
from plano_agents.routing.embedded.weights import FOLDER, load_arrays

LENGTHS = (16, 32, 64)
TIMES = 100
BEATS, ROUNDS = 1_000, 5
BEAT_SECONDS = 0.001


def main() -> None:
    """Measure, and print."""
    arrays = load_arrays(FOLDER / "encoder.npz")
    encoders: dict[str, Encodes] = {"NumPy": Encoder(arrays), "ONNX Runtime": FastEncoder(arrays)}
    with threadpool_limits(1):
        print("CPU, ms, p50 (p95), by tokens:")
        for name, encoder in encoders.items():
            print(f"  {name:14}", *(f"{length}: {_time(encoder, length)}" for length in LENGTHS), sep="  ")
        print("an event loop's delay, ms, p50 and p99, beside texts of 64 tokens:")
        late: dict[str, list[float]] = {name: [] for name in ("nothing", *encoders)}
        for _ in range(ROUNDS):
            late["nothing"] += asyncio.run(_beat())
            for name, encoder in encoders.items():
                late[name] += _beat_beside(encoder)
        for name, delays in late.items():
            print(f"  {name:14}  {np.percentile(delays, 50):.2f}  {np.percentile(delays, 99):.2f}")


def _time(encoder: Encodes, length: int) -> str:
    text = _draw(length)
    spent = []
    for _ in range(TIMES):
        began = time.process_time()
        encoder.encode([text])
        spent.append(1000 * (time.process_time() - began))
    return f"{np.percentile(spent, 50):.1f} ({np.percentile(spent, 95):.1f})"


def _beat_beside(encoder: Encodes) -> list[float]:
    done = threading.Event()
    thread = threading.Thread(target=_encode_until, args=(encoder, done.is_set))
    thread.start()
    try:
        return asyncio.run(_beat())
    finally:
        done.set()
        thread.join()


def _encode_until(encoder: Encodes, done: Callable[[], bool]) -> None:
    text = _draw(LENGTHS[-1])
    while not done():
        encoder.encode([text])


async def _beat() -> list[float]:
    loop = asyncio.get_running_loop()
    late = []
    for _ in range(BEATS):
        due = loop.time() + BEAT_SECONDS
        beat = loop.create_future()
        loop.call_at(due, beat.set_result, None)
        await beat
        late.append(1000 * (loop.time() - due))
    return late


def _draw(length: int) -> list[int]:
    return [101, *np.random.default_rng(0).integers(2_000, 20_000, length - 2).tolist(), 102]


if __name__ == "__main__":
    main()
