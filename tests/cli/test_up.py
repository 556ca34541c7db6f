import json
import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, read_until, run, running
from tests.patience import PATIENCE_SECONDS
from tests.ports import free_port

TOKEN = "t-24-characters-at-random"


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


def test_up_says_that_simulated_models_act(config: Path) -> None:
    with running("up", str(config), "--offline", "--act", "--port", "0") as process:
        assert "routing is real; they call tools that act" in read_until(process, "Ctrl-C")


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
    port = free_port()
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


def test_listening_beyond_this_machine_works_with_keys_and_says_what_is_open(config: Path) -> None:
    keys = "client_keys: {alice: $LONG, bob: 'sha256:10bf4a29938f149582d7e5a29a5b0a88d4816bfdd349265cb1521b551382f9c4'}"
    settings = config.with_name("plano-agents.yaml")
    settings.write_text(f"{keys.replace('$LONG', 'k-' + 'x' * 24)}\nadmin_token: {TOKEN}\n")
    with running("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0") as process:
        said = "".join(read_until(process, "Ctrl-C"))
    assert re.search(
        r"^  open +on every address of this machine \(0\.0\.0\.0:\d+\); keys: alice, bob$", said, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("keys", "told"), [("[k-123456]", "a key can be guessed"), ("{al: k-1}", "the keys of 'al' can be guessed")]
)
def test_keys_that_can_be_guessed_are_refused_beyond_this_machine_and_not_shown(
    config: Path, keys: str, told: str
) -> None:
    config.with_name("plano-agents.yaml").write_text(f"client_keys: {keys}\nadmin_token: {TOKEN}\n")
    refused = run("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert f"client_keys: {told}, having fewer than 24 characters" in refused.stderr
    assert "k-1" not in refused.stderr
    assert "admin_token" not in refused.stderr


def test_an_admin_token_that_can_be_guessed_is_refused_beyond_this_machine_and_not_shown(config: Path) -> None:
    settings = config.with_name("plano-agents.yaml")
    settings.write_text(f"client_keys: [{TOKEN}]\nadmin_token: {TOKEN[:23]}\n")
    refused = run("up", str(config), "--offline", "--port", "0", "--host", "0.0.0.0")
    assert refused.returncode == 1
    assert "admin_token: the token can be guessed, having fewer than 24 characters" in refused.stderr
    assert "client_keys" not in refused.stderr
    assert TOKEN[:23] not in refused.stderr
    with running("up", str(config), "--offline", "--port", "0") as process:
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
    assert "'routing: {session_cache: {type: redis, url: redis://localhost:6379}}' into config.yaml" in ended.stderr


def test_several_workers_that_are_not_told_where_redis_is_are_refused_with_the_way_out(config: Path) -> None:
    config.write_text(CONFIG + "routing: {session_cache: {type: redis, url: $REDIS_URL}}\n")
    ended = run("up", str(config), "--offline", "--port", "0", "--workers", "2", REDIS_URL="redis://localhost")
    assert ended.returncode == 1
    assert "error: --workers 2: routing.session_cache.url comes from the environment" in ended.stderr


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_number_of_workers_that_is_none_is_a_usage_error(config: Path, count: str) -> None:
    ended = run("up", str(config), "--workers", count)
    assert (ended.returncode, "--workers" in ended.stderr, count in ended.stderr) == (2, True, True)


def test_a_provider_that_is_not_served_yet_is_named_at_start(config: Path) -> None:
    config.write_text(CONFIG.replace("openai/gpt-4o,", "amazon_bedrock/nova, base_url: http://localhost:1,"))
    ended = run("up", str(config), "--offline", "--port", "0")
    assert (ended.returncode, "amazon_bedrock" in ended.stderr, "Traceback" in ended.stderr) == (
        1,
        True,
        False,
    )
