"""Two routers that share their pins in Redis: a run's turns may meet either, and keep one model.

    scripts/uv run --group examples examples/two_routers_redis.py

It starts a Redis of its own (`apt-get install redis-server`), or uses the one that REDIS_URL names.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offline import CONFIG, show_turn

from plano_agents import model_affinity
from plano_agents.openai import OpenAI
from plano_agents.testing import offline_router

QUESTIONS = (
    "Weigh the trade-offs of two queue designs, then decide.",
    "Write a function with boilerplate code for it.",
    "Write a function that tests it.",
    "Say goodbye.",
)


@contextmanager
def running_redis() -> Iterator[str]:
    """Run an empty Redis, unless REDIS_URL names one that runs already."""
    if running := os.environ.get("REDIS_URL"):
        yield running
        return
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("error: redis-server is not installed. Install it, or name a Redis in REDIS_URL.")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--logfile", ""]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not any("Ready to accept connections" in line for line in process.stdout or ()):
                sys.exit("error: redis-server did not start.")
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    with running_redis() as redis, tempfile.TemporaryDirectory() as folder:
        shared = Path(folder) / "config.yaml"
        shared.write_text(
            CONFIG.read_text().replace("routing:\n", f"routing:\n  session_cache: {{type: redis, url: '{redis}'}}\n")
        )
        with (
            offline_router(shared) as first,
            offline_router(shared) as second,
            model_affinity(),
        ):
            for at, question in enumerate(QUESTIONS):
                with OpenAI(base_url=(first, second)[at % 2]) as client:
                    answer = client.chat.completions.with_raw_response.create(
                        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
                    )
                show_turn(("first router", "second router")[at % 2], answer.headers)
