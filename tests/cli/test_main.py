import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

CONFIG = """
version: v0.4.0
listeners: [{type: model, name: m, port: 12000}]
model_providers:
  - {model: openai/gpt-4o, access_key: $OPENAI_API_KEY, default: true}
  - {model: anthropic/claude-sonnet-4-6, access_key: $ANTHROPIC_API_KEY}
routing_preferences:
  - {name: think, description: deep analysis, models: [anthropic/claude-sonnet-4-6]}
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-u", "-m", "plano_agents", *arguments]


def environ(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return {**kept, **variables}


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        env=environ(**variables),
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ()
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", wanted: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_says_what_it_serves_and_stops_cleanly(config: Path, number: signal.Signals) -> None:
    with running("up", str(config), "--offline", "--port", "0") as process:
        said = read_until(process, "Ctrl-C")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert re.search(r"router on http://127\.0\.0\.1:\d+/v1", said)
    assert "openai/gpt-4o (default), anthropic/claude-sonnet-4-6" in said
    assert "think → anthropic/claude-sonnet-4-6" in said
    assert "models are simulated" in said
    assert re.search(r"inspector   http://127\.0\.0\.1:\d+/inspector ", said)
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def ask(said: str) -> None:
    """Ask the router that said this for an answer, and read it."""
    url = re.search(r"router on (http://127\.0\.0\.1:\d+/v1)", said)
    assert url is not None
    request = urllib.request.Request(
        f"{url[1]}/chat/completions",
        b'{"messages": [{"role": "user", "content": "hi"}]}',
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--log-level=info", r"\S+Z  - +none +openai/gpt-4o  [^\n]+\nstopped\n"),
        ("--quiet", r"stopped\n"),
        ("--log-level=error", r"stopped\n"),
        ("--log-format=json", r'\{[^\n]+"event":"request"[^\n]+\}\n\{[^\n]+"message":"stopped"\}\n'),
    ],
)
def test_up_tells_of_a_request_as_it_is_told_to(config: Path, option: str, told: str) -> None:
    with running("up", str(config), "--offline", "--fast", "--port", "0", option) as process:
        ask(read_until(process, "Ctrl-C"))
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert re.fullmatch(told, out)
    assert (process.returncode, err) == (0, "")


def test_a_bad_configuration_is_an_object_where_machines_read(config: Path) -> None:
    config.write_text(CONFIG.replace("default: true", "defualt: true"))
    ended = run("up", str(config), "--offline", "--log-format", "json")
    told = json.loads(ended.stderr)
    assert (ended.returncode, told["level"], "'defualt'" in told["message"]) == (1, "error", True)


def test_a_log_level_that_is_none_is_a_usage_error(config: Path) -> None:
    ended = run("up", str(config), "--log-level", "loud")
    assert (ended.returncode, "'loud'" in ended.stderr) == (2, True)


def test_up_takes_the_address_from_the_configuration(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config.write_text(CONFIG.replace("12000", str(port)))
    with running("up", str(config), "--offline") as process:
        assert f"http://127.0.0.1:{port}/v1" in read_until(process, "Ctrl-C")


def test_missing_keys_are_all_named_with_the_way_out(config: Path) -> None:
    ended = run("up", str(config), "--port", "0")
    assert ended.returncode == 1
    assert "$OPENAI_API_KEY" in ended.stderr
    assert "$ANTHROPIC_API_KEY" in ended.stderr
    assert "--offline" in ended.stderr


def test_a_busy_port_is_one_line_that_names_it(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("up", str(config), "--offline", "--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: Cannot listen on 127.0.0.1:{port}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("default: true", "defualt: true", "'defualt'"),
        ("models: [anthropic/claude-sonnet-4-6]", "models: [openai/gpt-5]", "'openai/gpt-5'"),
        ("openai/gpt-4o,", "nobody/gpt-4o,", "nobody"),
        ("version: v0.4.0", "version: [", "config.yaml:"),
    ],
)
def test_a_bad_configuration_is_told_without_a_traceback(config: Path, old: str, new: str, told: str) -> None:
    config.write_text(CONFIG.replace(old, new))
    ended = run("up", str(config), "--offline", "--port", "0")
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    ended = run("up", str(tmp_path / "nope.yaml"))
    assert (ended.returncode, "nope.yaml" in ended.stderr) == (1, True)


def test_listening_beyond_this_machine_needs_keys_or_the_explicit_flag(config: Path) -> None:
    refused = run("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0")
    assert (refused.returncode, "--no-auth" in refused.stderr) == (1, True)
    with running("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0", "--no-auth") as process:
        read_until(process, "Ctrl-C")


def test_listening_beyond_this_machine_works_with_keys(config: Path) -> None:
    config.with_name("plano-agents.yaml").write_text("client_keys: [k-123456]\nadmin_token: t-123456\n")
    with running("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0") as process:
        read_until(process, "Ctrl-C")


@pytest.mark.parametrize("option", ["--fast", "--act"])
def test_an_option_for_simulated_models_without_offline_is_a_usage_error(config: Path, option: str) -> None:
    ended = run("up", str(config), option)
    assert (ended.returncode, "--offline" in ended.stderr) == (2, True)


def test_several_workers_without_shared_pins_are_refused_with_the_way_out(config: Path) -> None:
    ended = run("up", str(config), "--offline", "--port", "0", "--workers", "2")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith("error: --workers 2: ")
    assert "(routing.session_cache.type is 'memory')" in ended.stderr
    assert (
        "'routing: {session_cache: {type: redis, url: redis://localhost:6379}}' into config.yaml"
        in ended.stderr
    )


def test_several_workers_that_are_not_told_where_redis_is_are_refused_with_the_way_out(config: Path) -> None:
    config.write_text(CONFIG + "routing: {session_cache: {type: redis, url: $REDIS_URL}}\n")
    ended = run(
        "up", str(config), "--offline", "--port", "0", "--workers", "2", REDIS_URL="redis://localhost"
    )
    assert ended.returncode == 1
    assert "error: --workers 2: routing.session_cache.url comes from the environment" in ended.stderr


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_workers_that_is_none_is_a_usage_error(config: Path, count: str) -> None:
    ended = run("up", str(config), "--workers", count)
    assert (ended.returncode, "--workers" in ended.stderr, count in ended.stderr) == (2, True, True)


def test_the_metrics_library_is_not_loaded_before_somebody_asks_for_metrics() -> None:
    program = (
        "import sys, plano_agents.cli.main, plano_agents.cli.up, plano_agents.router.run\n"
        "print(*[name for name in sys.modules if name.startswith('prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_provider_that_is_not_served_yet_is_named_at_start(config: Path) -> None:
    config.write_text(CONFIG.replace("openai/gpt-4o,", "amazon_bedrock/nova, base_url: http://localhost:1,"))
    ended = run("up", str(config), "--offline", "--port", "0")
    assert (ended.returncode, "amazon_bedrock" in ended.stderr, "Traceback" in ended.stderr) == (
        1,
        True,
        False,
    )


def test_simulate_serves_the_simulated_models_alone() -> None:
    with running("simulate", "--port", "0", "--model", "m-1") as process:
        said = read_until(process, "OpenAI")
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url is not None
        with urllib.request.urlopen(f"{url.group()}/v1/models") as answer:
            assert b"m-1" in answer.read()
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("arguments", [("--help",), ("up", "--help"), ("simulate", "-h"), ("--version",)])
def test_help_is_there(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 0


def test_config_check_prints_the_resolved_configuration_with_secrets_masked(config: Path) -> None:
    ended = run("config", "check", str(config), OPENAI_API_KEY="sk-canary-1", ANTHROPIC_API_KEY="sk-canary-2")
    assert ended.returncode == 0
    assert "name: anthropic/claude-sonnet-4-6" in ended.stdout
    assert "first_byte_seconds" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


def test_config_check_refuses_what_up_would(config: Path) -> None:
    config.write_text(CONFIG.replace("default: true", "defualt: true"))
    ended = run("config", "check", str(config), "--offline")
    assert (ended.returncode, ended.stdout, "'defualt'" in ended.stderr) == (1, "", True)
