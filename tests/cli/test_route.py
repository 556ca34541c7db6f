"""``plano-agents route`` as a person runs it, on the project's own configuration and on others."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from plano_agents.cli.main import cli


@pytest.fixture
def config(root: Path) -> str:
    return str(root / "config.yaml")


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["route", *arguments], input=given, env={"OPENAI_API_KEY": None})


def test_it_says_what_matches_and_which_models_would_be_tried(config: str) -> None:
    ended = run("write a migration script", "--config", config)
    assert ended.exit_code == 0, ended.output
    lines = [" ".join(line.split()) for line in ended.output.splitlines()]
    assert lines[0] == "read user: write a migration script"
    assert lines[1] == "strategy embedded, a match's probability is above 0.50"
    assert any(line.startswith("preference code_generation") and line.endswith("← match") for line in lines)
    assert "candidate 1 anthropic/claude-sonnet-4-6 (in the order listed)" in lines
    assert "candidate 2 openai/gpt-4o (in the order listed)" in lines


def test_without_a_match_the_requests_own_model_serves(config: str) -> None:
    ended = run("turn off the lights", "--config", config, "--model", "gpt-4o")
    assert "match       no preference" in ended.output
    assert "candidate 1 openai/gpt-4o  (the request's own)" in ended.output


def test_as_json_it_is_what_the_router_explains(config: str) -> None:
    found = json.loads(run("write a migration script", "--config", config, "--json").output)
    assert (found["strategy"], found["match"]) == ("embedded", "code_generation")
    assert [each["name"] for each in found["preferences"]] == ["code_generation", "complex_reasoning"]


def test_a_dash_reads_the_text_from_standard_input(config: str) -> None:
    found = json.loads(run("-", "--config", config, "--json", given="weigh both options and decide\n").output)
    assert found["read"] == [{"role": "user", "text": "weigh both options and decide"}]
    assert found["match"] == "complex_reasoning"


def test_examples_and_the_threshold_come_from_the_settings(root: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "routing: {threshold: 0.9}\npreferences:\n  code_generation: {examples: [walk the dog, feed the cat]}\n"
    )
    arguments = ("feed the dog", "--config", str(root / "config.yaml"), "--json")
    taught = json.loads(run(*arguments, "--settings", str(settings)).output)
    plain = json.loads(run(*arguments).output)
    assert (taught["threshold"], taught["preferences"][0]["examples"]) == (0.9, 2)
    assert taught["preferences"][0]["score"] > plain["preferences"][0]["score"]


def write_with_routing_model(root: Path, tmp_path: Path) -> str:
    config = yaml.safe_load((root / "config.yaml").read_text())
    config["model_providers"].append(
        {"model": "local/Arch-Router", "base_url": "http://127.0.0.1:9", "provider_interface": "openai"}
    )
    for provider in config["model_providers"]:
        provider.pop("access_key", None)
    config["overrides"] = {"llm_routing_model": "local/Arch-Router"}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_a_routing_model_that_is_down_is_told(root: Path, tmp_path: Path) -> None:
    ended = run("write a migration script", "--config", write_with_routing_model(root, tmp_path))
    assert ended.exit_code == 0, ended.output
    assert "degraded    local/Arch-Router" in ended.output
    assert "← match" in ended.output


def test_it_is_left_alone_when_that_is_asked(root: Path, tmp_path: Path) -> None:
    ended = run("write a migration script", "--embedded", "--config", write_with_routing_model(root, tmp_path))
    assert "degraded" not in ended.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("hi", "--config", "nope.yaml"), "nope.yaml"), (("hi", "--model", "gpt-7"), "'gpt-7'")],
)
def test_what_goes_wrong_is_told_without_a_traceback(config: str, arguments: tuple[str, ...], told: str) -> None:
    ended = run(*arguments, *(() if "--config" in arguments else ("--config", config)))
    assert ended.exit_code == 1
    assert told in ended.output + str(ended.exception)


def test_a_language_that_is_hardly_known_is_told(config: str) -> None:
    assert "language    th," in run("เขียนฟังก์ชันเรียงลำดับรายการ", "--config", config).output
    assert "language" not in run("write a migration script", "--config", config).output


def test_an_empty_text_is_read_as_nothing(config: str) -> None:
    assert "read        nothing" in run(" ", "--config", config).output


def test_without_a_file_it_routes_as_up_would_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run("write a migration script", "--json")
    assert json.loads(ended.stdout)["match"] == "code_generation"
    assert "There is no config.yaml here, so this uses the one that 'plano-agents init' would write" in ended.stderr
