"""An agent's run through a router: two preferences, a scripted provider, and a relay that sees what is answered."""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plano_agents.demos.child import local_router
from plano_agents.testing import FakeUpstream, UpstreamExchange
from plano_agents.testing.answers import Responder
from tests.harnesses.tap import Exchanged, Tap
from tests.providers.fit.providers import CLAUDE, GPT, RESPONSES, RefusedError

SMALL = "gpt-4o-mini"
"""The configured model that small tasks ask for."""

Models = tuple[Sequence[str], Sequence[str]]
"""The models that write code, and those that talk, the preferred one first."""

MOST_REQUESTS = 60
"""How many requests a run may have: an agent whose script has a gap would ask for ever."""

NEW_MODELS = ("openai/gpt-5.5", "openai/gpt-5.6")
"""Models that take tools on responses alone; their server speaks both of OpenAI's APIs, as OpenAI does."""

_RULES = {"chat": GPT, "messages": CLAUDE, "responses": RESPONSES}
_VIOLATIONS = "plano_affinity_violations_total "


@dataclass
class Stage:
    """A run as both sides of the router see it."""

    url: str
    """The router's address, by way of the relay; without ``/v1``."""
    exchanges: list[Exchanged]
    """What the agent asked, and what the router answered."""
    refused: list[str]
    """What the provider refused, and why."""
    provider: FakeUpstream
    """The provider."""
    metrics: str
    """Where the router counts."""

    @property
    def errors(self) -> list[str]:
        """The answers that are errors."""
        return [each.error for each in self.exchanges if each.error]

    @property
    def violations(self) -> float:
        """The router's own count of broken promises."""
        with urllib.request.urlopen(self.metrics) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(_VIOLATIONS)).removeprefix(_VIOLATIONS))

    @property
    def spoken(self) -> dict[str, set[str | None]]:
        """The APIs that each model was asked in with tools."""
        spoken: dict[str, set[str | None]] = {}
        for each in self.provider.exchanges:
            if each.json.get("tools"):
                spoken.setdefault(each.json["model"], set()).add(each.wire)
        return spoken

    def told(self) -> dict[str, list[tuple[str, str]]]:
        """Give what each lane was told, in order: the model and the decision, repeated ones once."""
        told: dict[str, list[tuple[str, str]]] = {}
        for each in self.exchanges:
            lane = told.setdefault(each.lane, [])
            said = each.answer["x-plano-model"], each.answer["x-plano-affinity"]
            if lane[-1:] != [said]:
                lane.append(said)
        return told


@contextmanager
def stage(
    folder: Path, models: Models, script: Responder, *, implicit: bool = False, **routing: object
) -> Iterator[Stage]:
    """Set a router between an agent and a scripted provider that refuses what real ones refuse.

    Args:
        folder: Where its configuration is written.
        models: The models of the two preferences.
        script: What the models do.
        implicit: Whether conversations without a session id are sessions too.
        routing: What stands under ``routing`` in ``plano-agents.yaml``.
    """
    refused: list[str] = []

    def rule(exchange: UpstreamExchange) -> str | None:
        if len(provider.exchanges) > MOST_REQUESTS:
            return "The script has a gap."
        try:
            for check in _RULES[exchange.wire or "responses"]:
                check(exchange.json)
        except RefusedError as refusal:
            refused.append(f"{exchange.path} for {exchange.json['model']}: {refusal}")
            return str(refusal)
        return None

    with FakeUpstream(script, rule=rule) as provider:
        config = _write_config(folder, provider.url, models, routing, implicit=implicit)
        with local_router(config, offline=False, fast=False) as router, Tap(router) as tap:
            yield Stage(tap.url, tap.exchanges, refused, provider, f"{router.removesuffix('/v1')}/metrics")


def _write_config(folder: Path, url: str, models: Models, routing: Mapping[str, object], *, implicit: bool) -> Path:
    coders, talkers = models
    names = dict.fromkeys((*talkers, *coders, f"openai/{SMALL}"))  # what matches no preference gets the first
    entries = [{"model": name, "base_url": url, "access_key": "sk-any"} for name in names]
    config: dict[str, object] = {
        "version": "v0.4.0",
        "listeners": [{"type": "model", "name": "m", "port": 12_000}],
        "model_providers": entries,
        "routing_preferences": [
            {"name": "code", "description": "writing code, a function in Python", "models": coders},
            {"name": "talk", "description": "small talk, hello", "models": talkers},
        ],
    }
    if implicit:
        config["prompt_caching"] = {"enabled": True}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    settings: dict[str, object] = {"routing": routing} if routing else {}
    settings["models"] = {
        each["model"]: {"apis": ["chat", "responses"]} for each in entries if each["model"] in NEW_MODELS
    }
    (folder / "plano-agents.yaml").write_text(json.dumps(settings))
    return path
