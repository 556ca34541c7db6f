"""The pages on scaling and moving: their examples are accepted by their readers, their figures are measured."""

import re
import subprocess
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from plano_agents.config import parse_config
from plano_agents.config.client_keys import build_client_key
from plano_agents.protocol.usage import Tokens
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.pin import MAX_SWITCHES, Pin, SessionKey
from plano_agents.sessions.redis import RedisPins, Renewal
from plano_agents.sessions.redis_connection import RedisConnection
from plano_agents.sessions.redis_encoding import USAGE_PREFIX, encode_key
from tests.config.test_schema import check_by_plano
from tests.faults.redis_server import RedisServer, require_program
from tests.replicas.haproxy import run_haproxy
from tests.router.conftest import build_config, chat, run_router
from tests.router.raw_client import build_request, talk

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


SECRET = "operators-only"
OPERATORS = ("/affinity", "/affinity/run-1", "/metrics", "/inspector", "/inspector/api/router")


def spell(path: str) -> list[str]:
    """Ways to write a path: some lead there, and some nowhere."""
    encoded = "".join(f"%{ord(character):02X}" for character in path[1:])
    return [
        path,
        f"/%{ord(path[1]):02x}{path[2:]}",
        f"/{encoded}",
        f"http://localhost{path}",
        f"{path}?tenant=a",
        f"{path}/",
        f"/{path}",
        f"/%2F{path[1:]}",
        f"/.{path}",
        f"/v1/..{path}",
        f"/v1/%2e%2e{path}",
        path.upper(),
        f"/%25{ord(path[1]):02x}{path[2:]}",
        f"/\\{path[1:]}",
        f"{path};x",
        f"{path}%00",
        f"/%09{path[1:]}",
    ]


async def ask_as_operator(url: str, target: str, *headers: str) -> tuple[int, bytes]:
    lines = [f"GET {target} HTTP/1.1", "host: localhost", "connection: close", *headers, "", ""]
    status, _, body = await talk(url, "\r\n".join(lines).encode())
    return status, body


@pytest.mark.parametrize("path", OPERATORS)
async def test_haproxy_lets_nobody_to_operators_endpoints_however_they_are_spelt(tmp_path: Path, path: str) -> None:
    (sample,) = find_samples("haproxy")
    token = f"authorization: Bearer {SECRET}"
    async with run_router(build_config(admin_token=SecretStr(SECRET))) as router:
        config = re.sub(r"server a .*\n(?s:.*)", f"server a {urlsplit(router).netloc}\n", sample)
        async with run_haproxy(tmp_path, config.replace("bind :12000", "bind fd@{descriptor}")) as balanced:
            direct = {target: (await ask_as_operator(router, target, token))[0] for target in spell(path)}
            passed = [await ask_as_operator(balanced, target, token) for target in direct]
            models, _ = await ask_as_operator(balanced, "/v1/models")
    assert direct[path] in {200, 404}
    assert [status for status, _ in passed if status not in {400, 403, 404}] == []
    reached = [body for _, body in passed if b"session" in body or b"plano_" in body or b"<title>" in body]
    assert (reached, models) == ([], 200)


@pytest.mark.parametrize("path", OPERATORS)
async def test_a_router_reads_every_spelling_in_one_way(path: str) -> None:
    """An operator's endpoint answers nobody without the token, and a client's key does not open it."""
    config = build_config(admin_token=SecretStr(SECRET), client_keys=(build_client_key("k-1"),))
    async with run_router(config) as router:
        for target in spell(path):
            status, _ = await ask_as_operator(router, target)
            keyed, body = await ask_as_operator(router, target, "x-api-key: k-1")
            is_page = path == "/inspector" and status in {200, 308}
            assert is_page or (status in {400, 401, 404} and keyed in {400, 401, 404}), (
                target,
                status,
                keyed,
                body,
            )


async def test_a_proxied_endpoint_is_the_same_however_it_is_spelt() -> None:
    config = build_config(base_url="http://127.0.0.1:1", client_keys=(build_client_key("k-1"),))
    async with run_router(config) as router:
        for target in ("/v1/chat/completions", "/v1/%63hat/completions", "/%761/chat/completions?x=1"):
            status, _, _ = await talk(router, build_request(chat(), path=target))
            keyed, _, _ = await talk(router, build_request(chat(), "x-api-key: k-1", path=target))
            assert (status, keyed in {502, 503}) == (401, True)


async def test_a_pin_takes_no_more_memory_than_the_page_says(tmp_path: Path) -> None:
    switched = PIN
    for model in islice(cycle((GPT, CLAUDE)), MAX_SWITCHES):
        switched = switched.move(model, PIN.route, "upstream_failed", PIN.pinned_at)
    async with RedisServer(tmp_path) as server:
        pins = RedisPins(RedisConnection(server.url))
        await pins.pin(KEY, PIN, 600)
        await pins.renew([Renewal(KEY, 600, PIN.lineage, 6, Tokens(2_210, 431, 1_536))])
        taken = [await server.tell("MEMORY", "USAGE", name) for name in (encode_key(KEY), USAGE_PREFIX + PIN.lineage)]
        await pins.move(KEY, PIN, switched, 600)
        taken.append(await server.tell("MEMORY", "USAGE", encode_key(KEY)))
        await pins.aclose()
    said = re.search(r"A pin takes ([\d,]+) bytes.* ([\d,]+) \(`MEMORY.*a pin takes ([\d,]+)", PAGE, re.DOTALL)
    assert said is not None
    figures = [int(figure.replace(",", "")) for figure in said.groups()]
    excess = [size / figure for size, figure in zip(taken, figures, strict=True) if isinstance(size, int)]
    assert len(excess) == len(figures)
    assert max(excess) < ALLOCATORS_SHARE
