"""Reading a configuration's files: pipes are read to their end, and not waited for without one."""

import os
import threading
from pathlib import Path

import pytest

from plano_agents.config import files, load_config
from plano_agents.errors import ConfigError

MINIMAL = "version: v0.4.0\nlisteners: []\nmodel_providers:\n  - model: openai/gpt-4o\n"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_is_read_to_its_end(pipe: Path) -> None:
    writer = threading.Thread(target=pipe.write_text, args=[MINIMAL])
    writer.start()
    config = load_config(pipe, environ={})
    writer.join()
    assert [model.name for model in config.models] == ["openai/gpt-4o"]


def test_a_pipe_that_nobody_writes_to_is_told_after_a_while(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIPE_SECONDS", 0.05)
    with pytest.raises(ConfigError, match=r"pipe: this is a pipe, and nothing wrote all of a file into it within"):
        load_config(pipe, environ={})


def test_a_pipe_whose_writer_does_not_end_is_told_after_a_while(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIPE_SECONDS", 0.05)
    held = os.open(pipe, os.O_RDWR)
    try:
        os.write(held, MINIMAL.encode())
        with pytest.raises(ConfigError, match="this is a pipe"):
            load_config(pipe, environ={})
    finally:
        os.close(held)
