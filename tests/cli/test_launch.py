"""``plano-agents launch``, with a program of ours in the agent's place, which says how it was started."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plano_agents.cli.agents import AGENTS, Access, Agent
from plano_agents.cli.launch import pass_proxies_by
from tests.cli.conftest import command, environ, read_until, running
from tests.patience import PATIENCE_SECONDS

PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, sys
files = {{path.name: path.read_text() for path in map(pathlib.Path, sys.argv) if path.suffix == ".ts"}}
print(json.dumps({{"arguments": sys.argv[1:], "environ": dict(os.environ), "files": files}}), flush=True)
{{rest}}
"""
CLIENT_KEY = "pk-secret-of-24-characters"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name in ("claude", "codex", "opencode", "pi", "qwen", "vibe", "aider"):
        install(tmp_path, name)
    return tmp_path


def install(folder: Path, name: str, rest: str = "") -> None:
    """Put a program where the agent's would be."""
    path = folder / "bin" / name
    path.write_text(PROGRAM.replace("{rest}", rest))
    path.chmod(0o755)


@pytest.fixture
def launch(config: Path, folder: Path) -> Run:
    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command("launch", *arguments),
            cwd=config.parent,
            env=environ(**{"PATH": f"{folder / 'bin'}:/usr/bin:/bin", **variables}),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    return run


def read(ended: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Read how the program was started."""
    assert ended.returncode == 0, ended.stderr
    started: dict[str, Any] = json.loads(ended.stdout)
    return started


def test_an_agent_is_started_on_a_router_that_ends_with_it(launch: Run) -> None:
    url = read(launch("claude", "--offline"))["environ"]["ANTHROPIC_BASE_URL"]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/healthz")


def test_an_agent_gets_what_follows_the_dashes(launch: Run) -> None:
    assert read(launch("claude", "--offline", "--", "-p", "--model", "opus"))["arguments"] == ["-p", "--model", "opus"]


def test_an_agent_asks_a_router_that_runs(launch: Run, offline_router: str) -> None:
    started = read(launch("claude", "--url", offline_router))
    assert started["environ"]["ANTHROPIC_BASE_URL"] == offline_router.removesuffix("/v1")


def test_a_key_of_the_users_own_is_left_out(launch: Run, offline_router: str) -> None:
    started = read(launch("claude", "--url", offline_router, ANTHROPIC_API_KEY="sk-ant-own"))
    assert "ANTHROPIC_API_KEY" not in started["environ"]


def test_a_client_key_goes_to_the_agent_by_its_environment_alone(launch: Run, offline_router: str) -> None:
    ended = launch("codex", "--url", offline_router, PLANO_API_KEY="pk-secret")
    started = read(ended)
    assert started["environ"]["PLANO_KEY"] == "pk-secret"
    assert "pk-secret" not in ended.stderr + str(started["arguments"])


def test_an_agent_behind_a_proxy_asks_a_router_on_this_machine_by_itself(launch: Run, offline_router: str) -> None:
    started = read(launch("claude", "--url", offline_router, http_proxy="http://127.0.0.1:9"))["environ"]
    assert "127.0.0.1" in started["NO_PROXY"].split(",")


@pytest.mark.parametrize(
    ("url", "excepted", "told"),
    [
        ("http://localhost:12000", {}, "localhost"),
        ("http://127.0.0.1:12000", {"no_proxy": "corp.example, 127.0.0.1"}, "corp.example,127.0.0.1"),
        ("http://127.0.0.1:12000", {"NO_PROXY": "*"}, None),
        ("https://router.example", {}, None),
    ],
)
def test_what_a_user_excepts_from_the_proxy_stays_so(url: str, excepted: dict[str, str], told: str | None) -> None:
    wanted = {} if told is None else {"NO_PROXY": told, "no_proxy": told}
    assert pass_proxies_by(url, {"HTTPS_PROXY": "http://127.0.0.1:9"} | excepted) == wanted


def test_without_a_proxy_no_exception_is_set() -> None:
    assert pass_proxies_by("http://127.0.0.1:12000", {}) == {}


def test_an_agent_that_knows_no_model_asks_for_the_routers_first(launch: Run, offline_router: str) -> None:
    assert read(launch("qwen", "--url", offline_router))["environ"]["OPENAI_MODEL"] == "openai/gpt-4o-mini"


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)
def test_every_agent_gets_address_key_and_models(agent: Agent) -> None:
    setup = str(agent.build(Access("http://127.0.0.1:12345", "pk-1", "model-1", "model-2")))
    assert [word for word in ("http://127.0.0.1:12345", "pk-1", "model-1") if word not in setup] == []


def test_the_router_keeps_the_model_of_an_agent_that_sends_no_session_id(launch: Run, folder: Path) -> None:
    install(
        folder,
        "aider",
        'import urllib.request as r; body = b\'{"messages": [{"role": "user", "content": "hi"}]}\'\n'
        "r.urlopen(r.Request(os.environ['OPENAI_API_BASE'] + '/chat/completions', body, {'content-type': "
        "'application/json'})); print(r.urlopen(os.environ['OPENAI_API_BASE'][:-3] + '/affinity').read().decode())",
    )
    ended = launch("aider", "--offline", "--model", "openai/gpt-4o")
    assert json.loads(ended.stdout.splitlines()[1])["sessions"][0]["source"] == "implicit"


def test_a_user_of_a_running_router_is_told_what_to_set_there(launch: Run, offline_router: str) -> None:
    told = launch("aider", "--url", offline_router).stderr
    assert "prompt_caching: {enabled: true}" in told


def test_an_agents_exit_status_is_the_commands(launch: Run, folder: Path, offline_router: str) -> None:
    install(folder, "claude", "sys.exit(7)")
    assert launch("claude", "--url", offline_router).returncode == 7


def test_an_agent_that_a_signal_ended_is_told_as_shells_do(launch: Run, folder: Path, offline_router: str) -> None:
    install(folder, "claude", "os.kill(os.getpid(), 9)")
    assert launch("claude", "--url", offline_router).returncode == 137


def test_a_router_that_stopped_before_its_agent_is_told_with_its_logs_end(launch: Run, folder: Path) -> None:
    stop = (
        "import signal, time\n"
        "started = pathlib.Path(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read_text().split()\n"
        "router = next(int(each) for each in started if int(each) != os.getpid())\n"
        "os.kill(router, signal.SIGKILL)\n"
        "while pathlib.Path(f'/proc/{router}/stat').read_text().split()[2] != 'Z': pass"
    )
    install(folder, "claude", stop)
    told = launch("claude", "--offline").stderr
    assert "The router of this run stopped before Claude Code did. Its log ended with:\n  " in told


def test_a_router_without_a_file_is_told_to_serve_what_the_environment_has_keys_for(folder: Path) -> None:
    ended = subprocess.run(
        command("launch", "claude"),
        cwd=folder,
        env=environ(PATH=f"{folder / 'bin'}:/usr/bin:/bin", OPENAI_API_KEY="sk-any", OLLAMA_HOST="127.0.0.1:9"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "on the models of the keys in the environment (there is no config.yaml here)" in ended.stderr


def test_what_would_be_set_needs_a_router_or_a_model(launch: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("12000", "1"))
    told = launch("qwen", "--print-env").stderr
    assert "No router answers at http://127.0.0.1:1 (Connection refused)" in told
    assert "--model" in told
    assert "urlopen" not in told


def test_what_would_be_set_names_the_configurations_port(launch: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("12000", "1"))
    printed = launch("claude", "--print-env")
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:1\n" in printed.stdout
    assert "No router answers at http://127.0.0.1:1 yet" in printed.stderr


def test_an_unknown_agent_is_told_with_those_that_there_are(launch: Run) -> None:
    ended = launch("nope")
    assert (ended.returncode, "Invalid value for 'AGENT'" in ended.stderr, "'opencode'" in ended.stderr) == (
        2,
        True,
        True,
    )


@pytest.mark.parametrize("content", ["no program", "#!/nowhere/node\n"])
def test_an_agent_that_cannot_be_run_is_told_without_a_traceback(
    launch: Run, folder: Path, offline_router: str, content: str
) -> None:
    (folder / "bin" / "claude").write_text(content)
    ended = launch("claude", "--url", offline_router)
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert f"{folder / 'bin' / 'claude'} cannot be run (" in ended.stderr


def test_sigterm_ends_the_agent_and_its_router(config: Path, folder: Path) -> None:
    install(folder, "claude", "import signal; signal.pause()")
    with subprocess.Popen(
        command("launch", "claude", "--offline"),
        cwd=config.parent,
        env=environ(PATH=f"{folder / 'bin'}:/usr/bin:/bin"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["environ"]["ANTHROPIC_BASE_URL"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 128 + signal.SIGTERM
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/healthz")


def test_nothing_is_left_of_the_files_that_point_an_agent(launch: Run, offline_router: str) -> None:
    started = read(launch("pi", "--url", offline_router))
    (path,) = [argument for argument in started["arguments"] if argument.endswith(".ts")]
    assert (list(started["files"]), Path(path).exists()) == (["plano.ts"], False)


def test_what_would_be_set_is_printed_as_a_shell_reads_it(launch: Run, offline_router: str) -> None:
    printed = launch("claude", "--print-env", "--url", offline_router).stdout
    read_back = subprocess.run(
        ["/bin/sh", "-c", f'{printed}\necho "$ANTHROPIC_BASE_URL"'], capture_output=True, text=True, check=True
    )
    assert read_back.stdout.strip() == offline_router.removesuffix("/v1")


def test_an_agent_that_is_not_installed_is_named_with_the_command_that_installs_it(config: Path) -> None:
    ended = subprocess.run(
        command("launch", "claude", "--offline"),
        cwd=config.parent,
        env=environ(PATH="/nowhere"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (ended.returncode, "npm install -g @anthropic-ai/claude-code" in ended.stderr) == (1, True)


def test_a_router_that_does_not_start_is_told_without_a_traceback(launch: Run, config: Path) -> None:
    config.write_text("models: [")
    ended = launch("claude", "--offline")
    assert (ended.returncode, "Traceback" in ended.stderr, bool(re.search(r"config\.yaml:\d", ended.stderr))) == (
        1,
        False,
        True,
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--act"], "--offline"),
        (["--offline", "--url", "http://127.0.0.1:1"], "--url"),
        (["--key", "a\nb"], "--key"),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(launch: Run, options: list[str], told: str) -> None:
    ended = launch("claude", *options)
    assert (ended.returncode, told in ended.stderr) == (2, True)


def test_an_address_where_no_router_answers_is_told(launch: Run) -> None:
    ended = launch("claude", "--url", "http://127.0.0.1:1")
    assert (ended.returncode, "No router answers at http://127.0.0.1:1" in ended.stderr) == (1, True)


def test_a_missing_client_key_is_told_with_the_variable_that_holds_it(config: Path, launch: Run) -> None:
    hashed = subprocess.run(
        command("hash-key"), input=f"{CLIENT_KEY}\n", capture_output=True, text=True, check=True
    ).stdout.strip()
    (config.parent / "plano-agents.yaml").write_text(f'client_keys: ["{hashed}"]\n')
    ended = launch("aider", "--offline")
    assert (ended.returncode, "PLANO_API_KEY" in ended.stderr) == (1, True)


@pytest.fixture
def guarded(config: Path) -> Iterator[str]:
    """A running router that asks for a client key, by its address."""
    (config.parent / "plano-agents.yaml").write_text(f"client_keys: [{CLIENT_KEY}]\n")
    with running("up", str(config), "--offline", "--port", "0") as router:
        yield read_until(router, "router on").split()[-1].removesuffix("/v1")


def test_a_running_router_that_asks_for_a_key_is_used_with_the_key(launch: Run, guarded: str) -> None:
    started = read(launch("claude", "--url", guarded, PLANO_API_KEY=CLIENT_KEY))
    assert started["environ"]["ANTHROPIC_BASE_URL"] == guarded


def test_a_running_router_that_asks_for_a_key_is_told_with_the_variable_that_holds_it(
    launch: Run, guarded: str
) -> None:
    without, wrong = launch("claude", "--url", guarded), launch("claude", "--url", guarded, "--key", "another")
    told = f"The router on {guarded} asks for a client key. Put one of its client_keys into PLANO_API_KEY."
    assert (without.returncode, told in without.stderr) == (1, True)
    assert "does not accept this client key" in wrong.stderr


def test_no_variable_is_lost_on_the_way(launch: Run, offline_router: str) -> None:
    assert read(launch("claude", "--url", offline_router, MINE="kept"))["environ"]["MINE"] == "kept"
    assert "MINE" not in os.environ
