"""What the pages on scaling and moving show is accepted by whoever is to read it, and its figures are measured."""

import re
import subprocess
from itertools import cycle, islice
from pathlib import Path

import pytest
import yaml

from plano_agents.config import parse_config
from plano_agents.protocol.usage import Tokens
from plano_agents.sessions.pin import MAX_SWITCHES, Pin, SessionKey
from plano_agents.sessions.redis import RedisPins, Renewal
from plano_agents.sessions.redis_connection import RedisConnection
from plano_agents.sessions.redis_encoding import USAGE_PREFIX, encode_key
from tests.config.test_schema import check_by_plano
from tests.faults.redis_server import RedisServer, require_program

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "scaling.md").read_text()
MOVE = (DOCS / "plano.md").read_text()
CLAUDE, GPT = "anthropic/claude-sonnet-4-6", "openai/gpt-4o"
KEY = SessionKey("", "7f0c1c1e-3b1d-4f5e-9c55-0a8f4a1d2b3c")
ALLOCATORS_SHARE = 1.1
"""What another allocator, or another Redis, may add."""

PIN = Pin(CLAUDE, "complex_reasoning", "first_turn", 1_700_000_000.1234567, "0123456789abcdef")


def find_samples(info: str) -> list[str]:
    return re.findall(rf"```{info}\n(.*?)```", PAGE + MOVE, re.DOTALL)


def write_configs() -> list[str]:
    """The whole configuration, and the same with what is put in before a move to Plano."""
    whole, *changes = [yaml.safe_load(sample) for sample in find_samples('yaml title="config.yaml"')]
    return [yaml.safe_dump(document) for document in (whole, *(whole | change for change in changes))]


@pytest.mark.parametrize("text", write_configs(), ids=["replicas", "before the move"])
class TestAConfiguration:
    def test_is_accepted_by_plano(self, text: str) -> None:
        check_by_plano(text)

    def test_is_accepted_by_us_and_shares_pins(self, text: str) -> None:
        config = parse_config(text, source="config.yaml", environ={}, offline=True)
        assert config.routing.session_cache.is_shared


def test_the_configuration_of_replicas_is_acted_on_as_a_whole() -> None:
    assert parse_config(write_configs()[0], source="config.yaml", environ={}, offline=True).warnings == ()


def test_haproxy_takes_its_configuration(tmp_path: Path) -> None:
    (sample,) = find_samples("haproxy")
    path = tmp_path / "haproxy.cfg"
    path.write_text(sample)
    subprocess.run([require_program("haproxy"), "-c", "-q", "-f", str(path)], check=True)


async def test_a_pin_takes_no_more_memory_than_the_page_says(tmp_path: Path) -> None:
    switched = PIN
    for model in islice(cycle((GPT, CLAUDE)), MAX_SWITCHES):
        switched = switched.move(model, PIN.route, "upstream_failed", PIN.pinned_at)
    async with RedisServer(tmp_path) as server:
        pins = RedisPins(RedisConnection(server.url))
        await pins.pin(KEY, PIN, 600)
        await pins.renew([Renewal(KEY, 600, PIN.lineage, 6, Tokens(2_210, 431, 1_536))])
        taken = [
            await server.tell("MEMORY", "USAGE", name)
            for name in (encode_key(KEY), USAGE_PREFIX + PIN.lineage)
        ]
        await pins.move(KEY, PIN, switched, 600)
        taken.append(await server.tell("MEMORY", "USAGE", encode_key(KEY)))
        await pins.aclose()
    said = re.search(
        r"A pin takes ([\d,]+) bytes.* ([\d,]+) \(`MEMORY.*a pin takes ([\d,]+)", PAGE, re.DOTALL
    )
    assert said is not None
    figures = [int(figure.replace(",", "")) for figure in said.groups()]
    excess = [size / figure for size, figure in zip(taken, figures, strict=True) if isinstance(size, int)]
    assert len(excess) == len(figures)
    assert max(excess) < ALLOCATORS_SHARE
