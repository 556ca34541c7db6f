"""The benchmark's command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.gateway.__main__ import main
from benchmarks.gateway.install import Installation
from benchmarks.gateway.machine import choose_cores
from benchmarks.gateway.peers import PEERS
from benchmarks.gateway.peers.peer import Peer, Site
from benchmarks.gateway.workloads import WORKLOADS


@pytest.mark.parametrize(("option", "value"), [("--peers", "ngnix"), ("--only", "pinned-1kb,speed")])
def test_an_unknown_name_is_refused_with_those_that_exist(option: str, value: str) -> None:
    done = CliRunner().invoke(main, ["run", option, value])
    assert done.exit_code == 2
    assert repr(value.rsplit(",", maxsplit=1)[-1]) in done.output
    assert ("nginx" if option == "--peers" else "claude-paced") in done.output


@pytest.mark.parametrize("wish", ["1", "a,b", "0,0", "0,4096"])
def test_cores_that_cannot_be_had_are_refused(wish: str) -> None:
    done = CliRunner().invoke(main, ["run", "--cores", wish])
    assert done.exit_code == 1
    assert wish in done.output


def test_the_gateway_and_the_load_have_different_cores() -> None:
    cores = choose_cores(None)
    assert cores.proxy != cores.load


def test_names_are_unique() -> None:
    for names in ([peer.name for peer in PEERS], [workload.key for workload in WORKLOADS]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_gateways_configuration_names_the_upstream_and_nothing_of_the_users(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    site = Site(tmp_path, 20_001, (20_002, 20_003), 20_004)
    made = peer.command(Installation("/bin/gateway", "1"), site)
    environment = made.full_environment(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.iterdir()) + " ".join(made.arguments)
    headers = "".join(peer.chat.headers.values())
    assert "20002" in written or "{upstream}" in headers
    assert made.announces_port or "20001" in written
    assert "sk-of-the-user" not in str(environment)
