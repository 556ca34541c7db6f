import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import command, environ, read_until
from tests.patience import PATIENCE_SECONDS

NO_OLLAMA = {"OLLAMA_HOST": "127.0.0.1:9"}


def run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environ(**NO_OLLAMA | variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def read_start(folder: Path, *options: str, **variables: str) -> str:
    """Start a router in a folder; give what it says."""
    with subprocess.Popen(
        command("up", "--port", "0", *options),
        cwd=folder,
        env=environ(**NO_OLLAMA | variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            return read_until(process, "Ctrl-C")
        finally:
            process.kill()


@contextmanager
def ollama(*names: str) -> Iterator[str]:
    """An Ollama that lists models."""

    class Tags(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"models": [{"name": name} for name in names]}).encode()
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Tags) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_up_without_a_file_serves_what_the_environment_has_keys_for(tmp_path: Path) -> None:
    said = read_start(tmp_path, MISTRAL_API_KEY="sk-any")
    assert "'plano-agents init' would write (MISTRAL_API_KEY)." in said
    assert "mistral/mistral-small-latest (default)" in said
    assert re.search(r"router on http://127\.0\.0\.1:\d+/v1", said)


def test_up_without_a_file_serves_a_local_ollamas_models(tmp_path: Path) -> None:
    with ollama("llama3.2:latest") as host:
        said = read_start(tmp_path, OLLAMA_HOST=host)
    assert "ollama/llama3.2:latest (default)" in said


def test_up_without_a_file_and_a_key_offers_ways_out(tmp_path: Path) -> None:
    ended = run(tmp_path, "up")
    assert (ended.returncode, "--offline" in ended.stderr, "OPENAI_API_KEY" in ended.stderr) == (1, True, True)


def test_up_offline_needs_neither_a_file_nor_a_key(tmp_path: Path) -> None:
    assert "models are simulated" in read_start(tmp_path, "--offline")


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    ended = run(tmp_path, "up", "other.yaml", "--offline")
    assert (ended.returncode, "other.yaml" in ended.stderr) == (1, True)


@pytest.mark.parametrize(("content", "told"), [(None, "there is no such file"), (b"\xff", "the file is not UTF-8")])
def test_settings_that_were_named_are_read_without_a_file_too(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "mine.yaml").write_bytes(content)
    ended = run(tmp_path, "up", "--offline", "--port", "0", "--settings", "mine.yaml")
    assert (ended.returncode, told in ended.stderr, "Traceback" in ended.stderr) == (1, True, False)


def test_init_writes_a_file_that_check_takes(tmp_path: Path) -> None:
    assert run(tmp_path, "init", OPENAI_API_KEY="sk-any").returncode == 0
    assert run(tmp_path, "config", "check", OPENAI_API_KEY="sk-any").returncode == 0


def test_init_writes_over_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    ended = run(tmp_path, "init")
    assert (ended.returncode, "--force" in ended.stderr, (tmp_path / "config.yaml").read_text()) == (1, True, "mine")
    assert run(tmp_path, "init", "--force").returncode == 0


def test_init_carries_a_litellm_file_over(tmp_path: Path) -> None:
    entry = {"model_name": "fast", "litellm_params": {"model": "groq/llama-3.3-70b", "tpm": 3}}
    (tmp_path / "litellm.yaml").write_text(json.dumps({"model_list": [entry]}))
    ended = run(tmp_path, "init", "--from", "litellm", "litellm.yaml")
    assert (ended.returncode, "tpm is not carried over" in ended.stderr) == (0, True)
    assert "fast" in (tmp_path / "config.yaml").read_text()


def test_init_carries_planos_file_over_and_tells_what_does_nothing_here(tmp_path: Path, config: Path) -> None:
    (tmp_path / "plano.yaml").write_text(f"{config.read_text()}\nratelimits: []\n")
    ended = run(tmp_path, "init", "here.yaml", "--from", "plano", "plano.yaml")
    assert (ended.returncode, "ratelimits" in ended.stderr) == (0, True)


@pytest.mark.parametrize("kind", ["litellm", "plano"])
def test_init_tells_that_the_file_to_carry_over_is_missing(tmp_path: Path, kind: str) -> None:
    ended = run(tmp_path, "init", "--from", kind, "nowhere.yaml")
    assert (ended.returncode, "nowhere.yaml: there is no such file" in ended.stderr) == (1, True)


def test_init_tells_that_a_converted_file_would_not_be_valid(tmp_path: Path) -> None:
    source = tmp_path / "litellm.yaml"
    source.write_text('model_list: [{litellm_params: {model: "openai/gpt 4o"}}]')
    ended = run(tmp_path, "init", "--from", "litellm", "litellm.yaml")
    assert (ended.returncode, "litellm.yaml: nothing was written" in ended.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == [source]


def test_init_tells_that_a_path_cannot_be_written(tmp_path: Path) -> None:
    ended = run(tmp_path, "init", "no/such/folder.yaml")
    assert (ended.returncode, "cannot be written" in ended.stderr) == (1, True)
