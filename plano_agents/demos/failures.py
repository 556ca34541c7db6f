"""The demo's third act: one run with affinity while its model's providers fail and the router restarts.

The job is the demo's. The model of the first turn is served in two places; before turn 4 the first place fails, before
turn 6 the second too, and before turn 8 the router is stopped and started anew, with nothing in its memory. Each
request names the model of the turn before it in ``X-Model-Affinity-Hint``, as `ChatPlano` does by itself.
"""

import json
import os
import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import openai
import yaml
from rich.console import Console
from rich.text import Text

from plano_agents.affinity import AFFINITY_HEADER
from plano_agents.config.settings import SETTINGS_NAME
from plano_agents.demos.child import ROUTER_READY, running_server
from plano_agents.demos.loop import Turn, count_switches, run_turns
from plano_agents.demos.report import INDENT, RULE, describe_turn, say

PLACES = ("eu", "us")
"""The names of the places that serve each OpenAI model; the second serves all others, too."""

EVENTS = {
    4: "The provider in eu fails: it answers every request for {model} with 503.",
    6: "The provider in us fails too: nobody is left who serves {model}.",
    8: "The router restarts, and has forgotten every session.",
}
"""What happens before a turn."""

_SIMULATOR_READY = re.compile(r"simulated models on (\S+)")


class Stage:
    """Two places with simulated models, and a router in front of them that can be restarted.

    Args:
        config: The ``config.yaml`` whose models and preferences are used.
        fast: Whether the models answer at once.
    """

    def __init__(self, config: Path, *, fast: bool) -> None:
        self._stack = ExitStack()
        self._router = ExitStack()
        pace = () if fast else ("--time-to-first-token-ms", "300", "--tokens-per-second", "400")
        arguments = ["-m", "plano_agents", "simulate", "--port", "0", *pace]
        try:
            folder = Path(self._stack.enter_context(TemporaryDirectory()))
            self._places = [self._stack.enter_context(running_server(arguments, _SIMULATOR_READY)) for _ in PLACES]
            self._config = write_config(config, folder, self._places)
            self._port = find_free_port()
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the router, then the models."""
        self._router.close()
        self._stack.close()

    @property
    def url(self) -> str:
        """The router's base URL, ``/v1`` included."""
        return f"http://127.0.0.1:{self._port}/v1"

    def fail(self, place: int, model: str) -> None:
        """Let a place answer every request for a model with 503 from now on."""
        request = urllib.request.Request(  # noqa: S310 - our own simulator
            f"{self._places[place]}/simulator/faults/{model}",
            json.dumps({"fault": "status=503"}).encode(),
            {"content-type": "application/json"},
            method="PUT",
        )
        urllib.request.urlopen(request).close()  # noqa: S310 - our own simulator

    def restart(self) -> None:
        """Stop the router, and start another on the same port."""
        self._router.close()
        self._start()

    def _start(self) -> None:
        # What fails is told by the turns; the router's log says the same.
        arguments = ["-m", "plano_agents", "up", str(self._config), "--port", str(self._port), "--log-level", "error"]
        self._router.enter_context(running_server(arguments, ROUTER_READY))


def write_config(config: Path, folder: Path, places: list[str]) -> Path:
    """Write a configuration whose models are served in two places.

    Args:
        config: The ``config.yaml`` to begin with.
        folder: Where to write.
        places: The addresses of the places.

    Returns:
        The new ``config.yaml``; ``plano-agents.yaml`` stands beside it.
    """
    document = yaml.safe_load(config.read_text("utf-8"))
    document.pop("model_metrics_sources", None)
    models = {}
    for entry in document["model_providers"]:
        entry |= {"base_url": places[-1], "access_key": "simulated"}
        if entry["model"].startswith("openai/"):
            models[entry["model"]] = {
                "deployments": [
                    # All new sessions go to the first place.
                    {"name": name, "base_url": url, "access_key": "simulated", "weight": 1 if number == 0 else 0}
                    for number, (name, url) in enumerate(zip(PLACES, places, strict=True))
                ]
            }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    path.with_name(SETTINGS_NAME).write_text(yaml.safe_dump({"models": models}), "utf-8")
    return path


def find_free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def play(console: Console, stage: Stage, *, affinity_id: str, model: str) -> list[Turn]:
    """Run the job while things fail, and show each turn with the router's decision.

    Args:
        console: Where to.
        stage: The models and the router.
        affinity_id: The run's id.
        model: The model to ask for where no preference matches.

    Returns:
        The turns.

    Raises:
        openai.OpenAIError: The router failed.
    """
    client = openai.OpenAI(base_url=stage.url, api_key=os.environ.get("PLANO_API_KEY") or "none")
    say(console, Text(f"One run WITH Model Affinity ({AFFINITY_HEADER}: {affinity_id[:8]}…) while things fail", "bold"))
    say(console, Text(RULE, "dim"))
    shown: list[Turn] = []
    turns = run_turns(client, name="failures", model=model, affinity_id=affinity_id, sends_hints=True)
    for number, turn in enumerate(_disturb(console, stage, turns, shown), 1):
        say(console, describe_turn(turn, shown[-1] if shown else None, columns=False), indent=INDENT)
        place = f" in {turn.deployment}" if turn.deployment else ""
        decision = turn.decision or "the router does not say"
        if number == 1 or decision != "retain; reason=pinned":
            say(
                console,
                Text(f"{' ' * INDENT}{decision}; served{place or ' by its only provider'}", "dim"),
                indent=INDENT,
            )
        shown.append(turn)
    say(console, conclude(shown), indent=2)
    return shown


def conclude(turns: list[Turn]) -> Text:
    """Sum a run up: how often the model changed, and whether the router reported each change.

    Args:
        turns: The run's.
    """
    reported = sum((turn.decision or "").startswith("switch") for turn in turns)
    models = [turn.model for turn in turns]
    switches = count_switches(models)
    told = f"{' → '.join(dict.fromkeys(models))}: model switched {switches} time(s) in {len(turns)} turns; the router gave its reason for {'each' if reported == switches else reported}"
    return Text(f"✓ {told}", "bold green") if reported == switches else Text(f"✗ {told}", "bold red")


def _disturb(console: Console, stage: Stage, turns: Iterator[Turn], shown: list[Turn]) -> Iterator[Turn]:
    """Let things happen before turns; each event is told before the turn that it hits."""
    while True:
        number = len(shown) + 1
        if number in EVENTS:
            model = shown[-1].model
            say(console, Text(f"  ⚡ {EVENTS[number].format(model=model)}", "yellow"), indent=4)
            if number == max(EVENTS):
                stage.restart()
            else:
                stage.fail(list(EVENTS).index(number), model)
        with console.status(f"turn {number} …"):
            turn = next(turns, None)
        if turn is None:
            return
        yield turn
