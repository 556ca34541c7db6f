"""The recording of the demo: real output at its own pace, and what the demo prints now."""

import json
import re
import subprocess
import sys
from html import unescape

from scripts.site.record_demo import HOLD_SECONDS, LONGEST_PAUSE_SECONDS, PICTURE, TURNING_POINT, retime
from tests.docs.fences import ROOT

MOST_BYTES = 400_000


def read_events(recording: str) -> list[tuple[float, str]]:
    return [(at, text) for at, _, text in map(json.loads, recording.splitlines()[1:])]


def write_recording(*events: tuple[float, str]) -> str:
    lines = [{"version": 2, "width": 92, "height": 27}, *([at, "o", text] for at, text in events)]
    return "\n".join(json.dumps(line) for line in lines)


def test_short_pauses_stay_and_long_ones_are_shortened() -> None:
    recording = write_recording((0.0, "a"), (0.25, "b"), (30.25, "c"))
    assert read_events(retime(recording)) == [
        (0.0, "a"),
        (0.25, "b"),
        (0.25 + LONGEST_PAUSE_SECONDS, "c"),
    ]


def test_the_picture_is_held_when_the_runs_are_over() -> None:
    recording = write_recording((0.0, "a"), (0.5, f"{TURNING_POINT}\r\n"))
    assert read_events(retime(recording))[-1][0] == 0.5 + HOLD_SECONDS


def test_the_picture_is_small_and_loads_nothing() -> None:
    picture = PICTURE.read_text()
    assert len(picture.encode()) < MOST_BYTES
    assert re.findall(r'(?:href|src)="https?:|url\(|<script|@import', picture) == []


def test_the_picture_shows_the_turns_that_the_demo_takes() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "demo.py", "--fast", "--json"], capture_output=True, text=True, check=True
    )
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", PICTURE.read_text())).replace("\xa0", " ").split())
    turns = [turn for run in json.loads(ended.stdout)["runs"] for turn in run["turns"]]
    assert len(turns) > 2
    for turn in turns:
        shown = "pinned" if turn["decision"] == "retain; reason=pinned" else turn["route"]
        assert re.search(rf"turn {turn['turn']} \[{re.escape(turn['model'])}\] {shown}", words), turn
