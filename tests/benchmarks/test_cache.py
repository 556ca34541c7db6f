"""The benchmark of prompt caches runs, and counts as providers charge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cache import Account, CodingSession, DemoSession

READ, WRITTEN = {"cached_tokens": 400_000}, {"cached_tokens": 400_000, "cache_write_tokens": 100_000}


@pytest.mark.parametrize(
    ("model", "details", "usd"),
    [
        ("gpt-4o", {}, 2.5 + 10),
        ("gpt-4o", READ, 0.6 * 2.5 + 0.4 * 1.25 + 10),
        ("claude-sonnet-4-6", WRITTEN, 0.5 * 3 + 0.4 * 0.3 + 0.1 * 3 * 1.25 + 15),
    ],
)
def test_reading_is_cheaper_and_writing_is_dearer(model: str, details: dict[str, int], usd: float) -> None:
    account = Account()
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000, "prompt_tokens_details": details}
    account.add(model, usage)
    assert account.usd == pytest.approx(usd)


def test_a_transcript_is_the_same_whatever_the_model_says() -> None:
    one, other = CodingSession(1, turns=3), CodingSession(1, turns=3)
    for said in ("yes", "no", "well"):
        one.take({"role": "assistant", "content": said})
        other.take({"role": "assistant", "content": "nothing"})
    assert one.messages is other.messages is None
    assert json.dumps(vars(one)) == json.dumps(vars(other))


def test_sessions_share_how_they_begin_and_nothing_else() -> None:
    for kind in (CodingSession, DemoSession):
        first, second = (kind(number).messages for number in (1, 2))
        assert first is not None
        assert second is not None
        assert first != second
        assert first[0]["content"][:2000] == second[0]["content"][:2000]


def test_keys_and_marks_pay(root: Path) -> None:
    command = [sys.executable, str(root / "benchmarks" / "cache.py"), "--sessions", "1", "--turns", "4", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    claude = {row["way"]: row for row in rows if row["loop"] == "coding, 4 turns, Claude first"}
    assert claude["affinity"]["share"] == 0
    assert claude["affinity, keys and marks"]["share"] > 0.5
    assert claude["affinity, keys and marks"]["usd"] < claude["affinity"]["usd"]
