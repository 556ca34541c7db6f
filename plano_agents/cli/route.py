"""``plano-agents route``: how a request would be routed, and why, without sending anything to a provider.

A configured routing model is asked, for that is what routes; ``--embedded`` leaves it alone.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plano_agents.cli.first_config import DEFAULT_PATH, load_or_start
from plano_agents.cli.options import settings_option
from plano_agents.config.load import load_config
from plano_agents.config.model import Config
from plano_agents.errors import PlanoError
from plano_agents.protocol.openai_chat import parse_head
from plano_agents.protocol.request_body import RequestBody

if TYPE_CHECKING:  # the rest of the command line does without the router
    from plano_agents.router.request.explain import Explanation, OrderedCandidate

STANDARD_INPUT = "-"
SHOWN_CHARACTERS = 200
"""How much of a text that was read is shown."""


@click.command("route")
@click.argument("text")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The router's config.yaml  [default: as 'plano-agents up']",
)
@settings_option("the configuration")
@click.option("--model", help="The model that the request names  [default: the configuration's]")
@click.option(
    "--embedded",
    is_flag=True,
    help="Use the embedded strategy even if a routing model is configured; no key is needed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as the router explains it.")
def route_command(
    text: str, *, config: Path | None, settings: Path | None, model: str | None, embedded: bool, as_json: bool
) -> None:
    """Explain how TEXT would be routed.

    '-' reads TEXT from standard input. Nothing is sent to a provider, except to a configured routing model.
    """
    said = sys.stdin.read() if text == STANDARD_INPUT else text
    loaded = _load(config, settings, embedded=embedded)
    try:
        explanation = asyncio.run(_explain(loaded, said, model))
    except PlanoError as error:
        raise click.ClickException(error.message) from None
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(explanation), indent=2, ensure_ascii=False))
    else:
        _show(explanation)


def _load(path: Path | None, settings: Path | None, *, embedded: bool) -> Config:
    """Read the configuration; keys are needed only where a routing model is asked."""
    loaded, basis = load_or_start(path, settings_path=settings, environ=os.environ, offline=True)
    if basis is not None:
        click.echo(
            f"There is no {DEFAULT_PATH} here, so this uses the one that 'plano-agents init' would write ({basis}).",
            err=True,
        )
    if loaded.routing_model is None:
        return loaded
    if embedded:
        return replace(
            loaded,
            overrides=replace(loaded.overrides, llm_routing_model=None),
            routing=replace(loaded.routing, model=None),
        )
    return load_config(path or DEFAULT_PATH, settings_path=settings, environ=os.environ)


async def _explain(config: Config, text: str, model: str | None) -> "Explanation":
    from plano_agents.http.client.client import HttpUpstream  # noqa: PLC0415
    from plano_agents.router.request.choice import Choice  # noqa: PLC0415 - the rest of the command line does without
    from plano_agents.router.request.chooser import Chooser  # noqa: PLC0415
    from plano_agents.router.request.explain import explain  # noqa: PLC0415
    from plano_agents.router.request.strategies import build_strategy  # noqa: PLC0415

    upstream = HttpUpstream(proxy_from_environment=config.proxy_from_environment)
    try:
        chooser = Chooser(config, build_strategy(config, upstream))
        content = json.dumps({"messages": [{"role": "user", "content": text}], "model": model})
        return await explain(Choice(chooser, RequestBody(content.encode(), parse_head)))
    finally:
        await upstream.close()


def _show(explanation: "Explanation") -> None:
    """Print an explanation for people."""
    console = Console(highlight=False, soft_wrap=True)
    for said in explanation.read:
        shown = " ".join(said.text.split())
        cut = f"{shown[:SHOWN_CHARACTERS]}…" if len(shown) > SHOWN_CHARACTERS else shown
        console.print(Text(f"read        {said.role}: {cut}"))
    if not explanation.read:
        console.print("read        nothing: the text is empty")
    if explanation.strategy is None:
        console.print("preferences none are configured")
    else:
        threshold = (
            "" if explanation.threshold is None else f", a match's probability is above {explanation.threshold:.2f}"
        )
        console.print(Text(f"strategy    {explanation.strategy}{threshold}"))
    if explanation.language is not None:
        console.print(
            Text(
                f"language    {explanation.language}, of which the embedded strategy knows little: a routing model knows more"
            )
        )
    if explanation.degraded is not None:
        console.print(Text(f"degraded    {explanation.degraded}"))
    if explanation.preferences:
        console.print(_tabulate(explanation))
    matched = explanation.match if explanation.match is not None else "no preference; the request's own model serves"
    console.print(Text(f"match       {matched}"))
    for number, candidate in enumerate(explanation.candidates, start=1):
        why = "the request's own" if explanation.match is None else _word_order(candidate, explanation.prefer)
        console.print(Text(f"candidate {number} {candidate.model}  ({why})"))


def _tabulate(explanation: "Explanation") -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for preference in explanation.preferences:
        score = "" if preference.score is None else f"{preference.score:.3f}"
        mark = "← match" if preference.name == explanation.match else ""
        table.add_row("  preference", Text(preference.name), score, mark)
    return table


def _word_order(candidate: "OrderedCandidate", prefer: str) -> str:
    """Word why a candidate stands where it stands."""
    if not candidate.can_serve:
        return "cannot serve this request, so it is tried last"
    if candidate.left_alone:
        return "failed several times in a row, so it is tried after the others"
    if prefer == "none":
        return "in the order listed"
    known = candidate.usd_per_million_tokens if prefer == "cheapest" else candidate.latency
    return f"{prefer}: {known:g}" if known is not None else f"{prefer}: measured by a running router only"
