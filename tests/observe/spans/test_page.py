"""The page on tracing says what there is, and its commands and files work."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from plano_agents.agent_server.settings import build_settings
from plano_agents.config.plano import parse_config
from plano_agents.observe.spans.attributes import ATTRIBUTES, hash_affinity_id
from tests.agent_server.test_tracing import TREE

CONFIG = """
version: v0.4.0
listeners: [{type: model, name: m, port: 12000}]
model_providers: [{model: openai/gpt-4o, access_key: sk-any}]
"""


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "tracing.md").read_text()


def read_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}[^\n]*\n(.*?)\n```", page, re.DOTALL)


def test_the_table_is_the_attributes(page: str) -> None:
    section = page.partition("## Attributes\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ", 1) for line in section.splitlines() if line.startswith("| `")]
    assert {name.strip("`"): what for name, what in rows} == dict(ATTRIBUTES)


def test_the_files_are_taken(page: str) -> None:
    router, server, collector = read_blocks(page, "yaml")
    tracing = parse_config(CONFIG + router, source="config.yaml", environ={}).tracing
    assert (tracing.random_sampling, tracing.opentracing_grpc_endpoint) == (100, "http://localhost:4317")
    assert build_settings(**yaml.safe_load(server)).trace_sampling == 100
    assert set(yaml.safe_load(collector)) == {"receivers", "processors", "exporters", "service"}


def test_the_tree_is_a_runs(page: str) -> None:
    (block,) = read_blocks(page, "text")
    spans = ["".join(re.match(r"( *)(.*?)(?:  |$)", line).groups()) for line in block.splitlines()]  # type: ignore[union-attr] # it matches anything
    rest = iter(TREE)
    assert all(span in rest for span in spans), spans


def test_the_shown_command_hashes_an_id_as_spans_have_it(page: str) -> None:
    (block,) = [each for each in read_blocks(page, "console") if "sha256sum" in each]
    typed, shown = (line.strip() for line in block.splitlines())
    printed = subprocess.run(
        ["/bin/bash", "-c", typed.removeprefix("$ ")], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert printed == shown == hash_affinity_id("run-42")
