"""The demo as a process: what it shows must follow from the configuration, not from the show."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from plano_agents.config import parse_config
from plano_agents.demos.job import PIECES, QUERY
from plano_agents.testing import FakeUpstream, UpstreamExchange, give
from tests.children import running
from tests.patience import PATIENCE_SECONDS


@dataclass(frozen=True)
class Trace:
    """The output of ``demo.py --json``."""

    data: dict[str, Any]

    @property
    def switches(self) -> list[int]:
        return [run["switches"] for run in self.data["runs"]]

    def column(self, run: int, name: str) -> list[Any]:
        return [turn[name] for turn in self.data["runs"][run]["turns"]]

    def repeatable(self) -> dict[str, Any]:
        """All but what may differ: addresses and times."""
        text = json.dumps({**self.data, "router": None})
        return json.loads(re.sub(r'"timings": \{[^}]*\}|"routing_ms": [\d.]+', '"times": null', text))  # type: ignore[no-any-return]


def demo(root: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PLANO_", "OPENAI_", "ANTHROPIC_"))
    }
    return subprocess.run(
        [sys.executable, str(root / "demo.py"), "--fast", *arguments],
        capture_output=True,
        text=True,
        env={**kept, **variables},
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def trace(root: Path, *arguments: str, **variables: str) -> Trace:
    ended = demo(root, "--json", "--affinity-id", "run-1", *arguments, **variables)
    assert ended.returncode == 0, ended.stderr
    return Trace(json.loads(ended.stdout))


@pytest.fixture(scope="module")
def usual(root: Path) -> Trace:
    return trace(root)


@pytest.fixture(scope="module")
def plain_config(root: Path) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((root / "config.yaml").read_text())
    return config


def write(tmp_path: Path, config: dict[str, Any]) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_without_affinity_the_model_switches_and_with_it_it_does_not(usual: Trace) -> None:
    without, with_affinity = usual.switches
    assert without >= 3
    assert with_affinity == 0


def test_the_first_turns_are_those_of_planos_demo(usual: Trace) -> None:
    tools = usual.column(0, "tool_calls")
    assert [set(each) for each in tools[:4]] == [
        {"get_db_benchmarks"},
        {"get_case_studies"},
        {"check_feature_support"},
        set(),
    ]


def test_each_piece_of_work_is_asked_for_in_turn(usual: Trace) -> None:
    pieces = list(dict.fromkeys(usual.column(0, "piece")))
    assert pieces == [piece.title for piece in PIECES]


def test_the_scores_of_a_turn_that_switched_name_its_own_preference_first(usual: Trace) -> None:
    models, routes, scores = (usual.column(0, name) for name in ("model", "route", "scores"))
    switched = [at for at in range(1, len(models)) if models[at] != models[at - 1]]
    assert [max(scores[at], key=scores[at].get) for at in switched] == [routes[at] for at in switched]
    assert not any(each for at, each in enumerate(scores) if at not in switched)


def test_the_first_turn_is_routed_alike_and_then_retained(usual: Trace) -> None:
    assert usual.column(0, "model")[0] == usual.column(1, "model")[0]
    assert set(usual.column(0, "decision")) == {"none"}
    assert usual.column(1, "decision")[0] == "initialize; reason=first_turn"
    assert set(usual.column(1, "decision")[1:]) == {"retain; reason=pinned"}


def test_the_agent_says_and_does_the_same_whichever_models_serve_it(usual: Trace) -> None:
    unsigned = [[text.partition("— written by")[0] for text in usual.column(run, "text")] for run in (0, 1)]
    assert usual.column(0, "tool_calls") == usual.column(1, "tool_calls")
    assert unsigned[0] == unsigned[1]


def test_affinity_reads_more_of_the_prompts_from_the_cache(usual: Trace) -> None:
    without, with_affinity = (sum(usual.column(run, "cached_tokens")) for run in (0, 1))
    assert with_affinity > without


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_run_again_gives_the_same_trace_however_python_hashes(root: Path, usual: Trace, seed: str) -> None:
    assert trace(root, PYTHONHASHSEED=seed).repeatable() == usual.repeatable()


def test_swapped_descriptions_swap_the_models(root: Path, plain_config: dict[str, Any], tmp_path: Path) -> None:
    # A name speaks too, so both are made to say nothing.
    one, two = (
        {**each, "name": name}
        for each, name in zip(plain_config["routing_preferences"], ("first", "second"), strict=True)
    )
    swapped = [{**one, "description": two["description"]}, {**two, "description": one["description"]}]
    before, after = (
        trace(root, "--config", write(tmp_path, {**plain_config, "routing_preferences": preferences}))
        for preferences in ([one, two], swapped)
    )
    other = {"gpt-4o": "claude-sonnet-4-6", "claude-sonnet-4-6": "gpt-4o"}
    assert after.column(0, "model") == [other[model] for model in before.column(0, "model")]


def test_one_preference_for_everything_gives_no_switch(
    root: Path, plain_config: dict[str, Any], tmp_path: Path
) -> None:
    all_in_one = [{"name": "everything", "description": "any kind of request", "models": ["openai/gpt-4o"]}]
    found = trace(root, "--config", write(tmp_path, {**plain_config, "routing_preferences": all_in_one}))
    assert found.switches == [0, 0]
    assert set(found.column(0, "model")) == {"gpt-4o"}


def test_a_configuration_that_never_switches_leaves_nothing_to_compare(
    root: Path, plain_config: dict[str, Any], tmp_path: Path
) -> None:
    config = write(tmp_path, {**plain_config, "routing_preferences": []})
    assert "Nothing to compare" in demo(root, "--config", config).stdout


def test_renamed_models_rename_the_output(root: Path, usual: Trace, tmp_path: Path) -> None:
    text = (root / "config.yaml").read_text().replace("gpt-4o", "gizmo-9").replace("claude-sonnet-4-6", "ode-7")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    found = trace(root, "--config", str(path))
    renamed = {"gpt-4o": "gizmo-9", "claude-sonnet-4-6": "ode-7"}
    assert found.column(0, "model") == [renamed[model] for model in usual.column(0, "model")]


def test_no_preferences_name_occurs_in_the_simulators_texts(root: Path, usual: Trace) -> None:
    config = parse_config((root / "config.yaml").read_text(), source="config.yaml", environ={}, offline=True)
    sources = "".join(path.read_text() for path in (root / "plano_agents" / "simulator").rglob("*.py"))
    said = "".join(usual.column(0, "text"))
    for preference in config.preferences:
        for spelling in (preference.name, preference.name.replace("_", " ")):
            assert spelling not in (sources + said).lower()


@pytest.mark.parametrize("variable", ["PLANO_BASE_URL", "PLANO_URL"])
def test_a_router_that_runs_already_is_used(root: Path, offline_router: str, variable: str) -> None:
    found = trace(root, **{variable: offline_router.removesuffix("/v1")})
    assert (found.data["router"], found.data["simulated_models"]) == (offline_router, False)


@pytest.fixture
def forgetful_router(offline_router: str) -> Iterator[str]:
    """A proxy in front of a router that loses the affinity header."""

    def ask(path: str, body: bytes) -> tuple[bytes, dict[str, str]]:
        url = offline_router.removesuffix("/v1") + path
        request = urllib.request.Request(url, body or None, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            names = {"content-type", "x-plano-route"} & {name.lower() for name in answer.headers}
            return answer.read(), {name: answer.headers[name] for name in names}

    async def forward(exchange: UpstreamExchange) -> None:
        body, headers = await asyncio.to_thread(ask, exchange.path, exchange.body)
        await exchange.answer(body, headers=headers)

    with FakeUpstream(forward) as proxy:
        yield proxy.url


def test_a_router_that_does_not_pin_gets_its_cross(root: Path, forgetful_router: str) -> None:
    out = demo(root, PLANO_BASE_URL=forgetful_router).stdout
    assert re.search(r"\n✗ With affinity: model switched \d+ time\(s\): .+\n", out)


def test_a_person_sees_both_runs_and_the_bill(root: Path) -> None:
    out = demo(root, "--affinity-id", "abcdefgh-1234").stdout
    assert re.search(
        r"Run 1: WITHOUT Model Affinity\n━+\n  turn 1  \[\S+ +\]  \S+ +get_db_benchmarks, get_db_benchmarks\n",
        out,
    )
    assert re.search(
        r"  turn \d  \[\S+ +\]  \S+ +.*   ← switched\n"
        r" +\S+ \d+ % likely, \S+ \d+ %; [\d,]+ of [\d,]+ prompt tokens from the cache \(with affinity [\d,]+ of [\d,]+\)\n",
        out,
    )
    assert re.search(r"\n✗ Without affinity: model switched \d+ time\(s\): claude-sonnet-4-6, gpt-4o\n", out)
    assert "Run 2: WITH Model Affinity (X-Model-Affinity: abcdefgh…)" in out
    assert re.search(r"\n✓ With affinity: \S+ for all \d+ turns\n", out)
    assert re.search(
        r"\nThe bill, of simulated models: [\d,]+ of [\d,]+ prompt tokens from the cache; with affinity [\d,]+ of [\d,]+\. "
        r"List price of the prompts: \$\S+; with affinity \$\S+\. Routing a turn: \S+ ms; with affinity \S+ ms\.\n$",
        out,
    )
    assert "\x1b" not in out


def test_the_router_and_the_query_are_named(root: Path, offline_router: str) -> None:
    lines = demo(root, PLANO_URL=offline_router).stdout.splitlines()
    assert lines[0] == f"Router  {offline_router}"
    assert re.fullmatch(r'Query   "(.*) …"', lines[1])
    assert QUERY.startswith(lines[1].removeprefix('Query   "').removesuffix(' …"'))


def test_what_the_agent_wrote_is_printed_where_it_is_asked_for(root: Path) -> None:
    out = demo(root, "--answer").stdout
    written = out[out.index("The recommendation\n") :]
    assert [f"The {piece.title}\n━" in written for piece in PIECES] == [True] * len(PIECES)
    assert "CREATE TABLE" in written
    assert "CREATE TABLE" not in demo(root).stdout


def test_a_run_that_is_stopped_early_ends_well(root: Path) -> None:
    ended = demo(root, "--max-turns", "3")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("Stopped after 3 turns") == 2
    assert "turn 4" not in ended.stdout


def test_failing_providers_and_a_restart_leave_one_switch_which_is_reported(root: Path) -> None:
    ended = demo(root, "--failures")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.findall(r"^ +(\w+; reason=.+)$", ended.stdout, re.MULTILINE) == [
        "initialize; reason=first_turn; served in eu",
        "retain; reason=deployment; because=status 503; served in us",
        "switch; reason=upstream_failed; because=status 503; served by its only provider",
        "initialize; reason=hint; served by its only provider",
    ]
    assert re.findall(r"^turn (\d) .*← switched$", ended.stdout, re.MULTILINE) == ["6"]
    verdict = "✓ gpt-4o → claude-sonnet-4-6: model switched 1 time(s) in 8 turns; the router gave its reason for each"
    assert ended.stdout.endswith(f"{verdict}\n")


def test_five_agents_loops_are_shown_as_strips(root: Path) -> None:
    out = demo(root, "--loops").stdout
    strips = re.findall(r"^(\w+) +((?:[A-Z]  )+) +(\d+)   ((?:[A-Z]  )+) +(\d+)$", out, re.MULTILINE)
    assert [strip[0] for strip in strips] == ["database", "incident", "report", "refactoring", "research"]
    for _, without, switches, with_affinity, kept in strips:
        one, two = without.split(), with_affinity.split()
        assert len(one) == len(two) >= 5
        assert one[0] == two[0]
        assert int(switches) == sum(before != after for before, after in pairwise(one)) >= 1
        assert (len(set(two)), kept) == (1, "0")
    total = sum(int(strip[2]) for strip in strips)
    assert out.endswith(f"Switches in 5 jobs: {total} without affinity, 0 with it.\n")


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--loops", "--json"], {}),
        (["--failures", "--answer"], {}),
        (["--failures", "--live"], {}),
        (["--failures"], {"PLANO_URL": "http://127.0.0.1:9"}),
    ],
)
def test_an_act_that_cannot_be_played_so_is_refused(
    root: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    ended = demo(root, *arguments, **variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert arguments[0] in ended.stderr


def test_it_says_that_models_are_simulated_and_routing_is_real(root: Path) -> None:
    assert demo(root).stdout.startswith("The models are simulated, the routing is real")


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["--live"], {}, "$OPENAI_API_KEY"),
        (["--live"], {}, "leave out --live"),
        (["--affinity-id", "a b"], {}, "' '"),
        (["--config", "nope.yaml"], {}, "nope.yaml"),
        ([], {"PLANO_BASE_URL": "http://127.0.0.1:9"}, "No router answers at http://127.0.0.1:9/v1"),
        ([], {"PLANO_BASE_URL": "nonsense"}, "'nonsense'"),
        (["--model", "gpt-7"], {}, "'gpt-7'"),
    ],
)
def test_what_goes_wrong_is_told_without_a_traceback(
    root: Path, arguments: list[str], variables: dict[str, str], told: str
) -> None:
    ended = demo(root, *arguments, **variables)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [["--live"], ["--config", "other.yaml"]])
def test_what_is_for_ones_own_router_is_refused_beside_one_that_runs(root: Path, arguments: list[str]) -> None:
    ended = demo(root, *arguments, PLANO_BASE_URL="http://127.0.0.1:9")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "PLANO_BASE_URL names a router that runs already" in ended.stderr


@pytest.fixture
def web_server() -> Iterator[str]:
    """A web server that answers everything with a page."""
    with FakeUpstream(give(b"<html>hello</html>", headers={"content-type": "text/html"})) as server:
        yield server.url


@pytest.mark.parametrize(
    ("arguments", "told"), [([], "lists no models"), (["--model", "gpt-4o"], "sent no chat completion")]
)
def test_a_web_server_is_no_router(root: Path, web_server: str, arguments: list[str], told: str) -> None:
    ended = demo(root, *arguments, PLANO_BASE_URL=web_server)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@contextmanager
def started_paced(root: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The demo as its script runs it, with models that take their time, once it has begun; and its router's process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLANO_")}
    with running(["./demo.sh"], cwd=root, environ=kept) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process, find_child(process.pid)


def find_child(parent: int) -> int:
    """Wait until a process has a child, one."""
    while True:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
        if found := [child for child, its_parent in pairs if its_parent == parent]:
            (child,) = found
            return child


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_says_one_word_and_leaves_nothing(root: Path, number: signal.Signals) -> None:
    with started_paced(root) as (process, router):
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, errors.split()) == (130, ["interrupted"])
    assert not runs(router)


def test_a_reader_that_leaves_ends_the_demo_without_a_word(root: Path) -> None:
    with started_paced(root) as (process, router):
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(PATIENCE_SECONDS) == 1
    assert not runs(router)
