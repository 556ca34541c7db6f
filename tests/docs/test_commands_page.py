"""The page on the command line is written from all of its commands."""

import re

import click
from markdown import markdown  # type: ignore[import-untyped]

from plano_agents.cli.main import cli
from tests.docs.fences import ROOT


def test_every_command_stands_on_the_page_on_the_command_line() -> None:
    page = markdown((ROOT / "docs" / "cli.md").read_text(), extensions=["attr_list", "mkdocs-click"])
    assert set(re.findall(r"<h3[^>]*>plano-agents ([\w-]+)</h3>", page)) == set(cli.list_commands(click.Context(cli)))
