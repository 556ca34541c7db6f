"""The memory that a session takes in a router that keeps pins by itself.

Run it with ``scripts/uv run benchmarks/sessions.py``. A router, `plano-agents up`, stands before simulated models in a
process of their own, and gets one request from each of many new sessions, with ids of 36 characters. Its resident
memory is read after the first thousand, which fill what is filled once, and after the rest. Ten thousand sessions are
the most that a router keeps in memory, so twice as many show that it grows no further.
"""

import http.client
import json
import platform
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil

WARM, KEPT, BEYOND = 1_000, 10_000, 20_000
"""After how many sessions memory is read."""
CONFIG = {
    "version": "v0.4.0",
    "listeners": [{"type": "model", "name": "m", "port": 12_000}],
    "routing_preferences": [],
}
BODY = json.dumps({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]})


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run a command of ours until the context ends; gives its process and its address."""
    command = [sys.executable, "-u", "-m", "plano_agents", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - it is ours
        try:
            line = next(line for line in process.stdout or () if "http://" in line)
            yield process, next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


def ask(url: str, count: int) -> None:
    """Send one request of each of so many new sessions."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for _ in range(count):
        headers = {"content-type": "application/json", "x-model-affinity": str(uuid.uuid4())}
        connection.request("POST", "/v1/chat/completions", BODY, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            sys.exit(f"The router answered {answer.status}.")
    connection.close()


def main() -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory() as folder, running("simulate", "--port", "0") as (_, models):
        path = Path(folder) / "config.yaml"
        base_url = models if models.endswith("/v1") else f"{models}/v1"
        provider = {"model": "openai/gpt-4o-mini", "access_key": "none", "base_url": base_url, "default": True}
        path.write_text(json.dumps(CONFIG | {"model_providers": [provider]}))
        with running("up", str(path), "--port", "0", "--quiet") as (router, url):
            memory = []
            asked = 0
            for sessions in (WARM, KEPT, BEYOND):
                ask(url, sessions - asked)
                asked = sessions
                memory.append(psutil.Process(router.pid).memory_info().rss)
    for sessions, size in zip((WARM, KEPT, BEYOND), memory, strict=True):
        print(f"after {sessions:6,} sessions: {size / 2**20:6.1f} MiB resident")
    each = (memory[1] - memory[0]) / (KEPT - WARM)
    print(f"{each:,.0f} bytes a session, {2**20 / each:,.0f} sessions a MiB; Python {platform.python_version()}")


if __name__ == "__main__":
    main()
