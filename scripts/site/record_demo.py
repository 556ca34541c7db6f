"""Records ``demo.py`` in a terminal into ``docs/images/demo.svg``: its real output, at its real pace.

Two things are changed of time alone: a pause longer than a second is shown as one second, and at the end the picture is
held so that it can be read.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "demo.svg"
SIZE = "92x40"
LONGEST_PAUSE_SECONDS = 1.0
HOLD_SECONDS = 4.0
TURNING_POINT = "The bill"
"""What is printed when the runs are over."""

_COLOURS = "#30363d:#ff7b72:#3fb950:#d29922:#58a6ff:#bc8cff:#39c5cf:#c9d1d9"
_BRIGHT = "#8b949e:#ffa198:#56d364:#e3b341:#79c0ff:#d2a8ff:#56d4dd:#f0f6fc"
THEME = {"fg": "#e6edf3", "bg": "#161b22", "palette": f"{_COLOURS}:{_BRIGHT}"}
"""A terminal's colours, each readable on the background, which reads well on light and dark pages."""


def main() -> None:
    """Record, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        cast = Path(folder) / "demo.cast"
        record(cast)
        cast.write_text(retime(cast.read_text()))
        end = str(int(HOLD_SECONDS * 1_000))
        _run_termtosvg(
            "render", str(cast), str(PICTURE), "-D", end, "-m", "60", "-t", "window_frame", "--theme", "auto"
        )


def record(cast: Path) -> None:
    """Run the demo in a terminal of its own, and write what it prints, and when."""
    command = f"{sys.executable} {ROOT / 'demo.py'}"
    _run_termtosvg("record", str(cast), "-g", SIZE, "-c", command)


def retime(recording: str) -> str:
    """Shorten long pauses, hold the picture at the turning point, and give it its colours.

    Args:
        recording: An asciicast, version 2.

    Returns:
        The same, with other times.
    """
    head, *events = (json.loads(line) for line in recording.splitlines())
    retimed, now, before = [json.dumps(head | {"theme": THEME})], 0.0, 0.0
    for at, kind, text in events:
        now += min(at - before, LONGEST_PAUSE_SECONDS)
        if TURNING_POINT in text:
            now += HOLD_SECONDS
        before = at
        retimed.append(json.dumps([round(now, 6), kind, text], ensure_ascii=False))
    return "\n".join(retimed) + "\n"


def _run_termtosvg(*arguments: str) -> None:
    """Run it with an input that does not end, for it would end with it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
    with subprocess.Popen(  # noqa: S603 - our own command line, no shell
        [sys.executable, "-m", "termtosvg", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    ) as process:
        complaints = process.stderr.read() if process.stderr else ""
        if process.wait():
            sys.exit(f"error: termtosvg {arguments[0]} failed:\n{complaints}")


if __name__ == "__main__":
    main()
