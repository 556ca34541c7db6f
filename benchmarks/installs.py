"""The size of each extra: packages, megabytes and seconds, for docs/install.md.

Run it with ``scripts/uv run benchmarks/installs.py``. The wheel is built, then installed with each extra in a fresh
environment by uv, with an empty cache, in the versions of ``constraints.txt``. Bytes are those of files as they are
unpacked; pip adds byte code, which is counted apart. Seconds hold resolving, downloading and unpacking: they depend on
the index's place.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("", "langchain", "router", "server", "all")


def main() -> None:
    """Install each, and print a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        call(["build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT)], folder)
        (wheel,) = Path(folder).glob("*.whl")
        print("| installed | packages | MB | byte code, MB | seconds |", "|---|---|---|---|---|", sep="\n")
        for extra in EXTRAS:
            print(measure(wheel, extra, Path(folder, extra or "base")), flush=True)


def measure(wheel: Path, extra: str, place: Path) -> str:
    """Install the wheel with an extra, and write the row of it."""
    call(["venv", "--quiet", "--python", sys.executable, str(place)], f"{place}-cache")
    needs = f"{wheel}[{extra}]" if extra else str(wheel)
    options = ["--quiet", "--python", str(place / "bin" / "python"), "--constraint", str(ROOT / "constraints.txt")]
    began = time.monotonic()
    call(["pip", "install", *options, needs], f"{place}-cache")
    seconds = time.monotonic() - began
    (site,) = place.glob("lib/python*/site-packages")
    count = len(list(site.glob("*.dist-info")))
    files = sum(each.stat().st_size for each in site.rglob("*") if each.is_file())
    subprocess.run([place / "bin" / "python", "-m", "compileall", "-q", site], check=False)
    code = sum(each.stat().st_size for each in site.rglob("*.pyc"))
    name = f"`[{extra}]`" if extra else "the base"
    return f"| {name} | {count} | {files / 1e6:.0f} | {code / 1e6:.0f} | {seconds:.0f} |"


def call(command: Sequence[str], cache: str) -> None:
    """Run uv with a cache of its own."""
    subprocess.run([ROOT / "scripts" / "uv", *command], env=os.environ | {"UV_CACHE_DIR": cache}, check=True)


if __name__ == "__main__":
    main()
