import asyncio
from pathlib import Path

from tests.cli.conftest import CONFIG, run
from tests.faults.redis_server import RedisServer


def test_config_check_prints_the_resolved_configuration_with_secrets_masked(config: Path) -> None:
    ended = run("config", "check", str(config), OPENAI_API_KEY="sk-canary-1", ANTHROPIC_API_KEY="sk-canary-2")
    assert ended.returncode == 0
    assert "name: anthropic/claude-sonnet-4-6" in ended.stdout
    assert "first_byte_seconds" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


def test_config_check_tells_which_preference_takes_everything_else(config: Path) -> None:
    with config.open("a") as file:
        file.write("  - {name: rest, description: everything else, models: [openai/gpt-4o]}\n")
        file.write("  - {name: law, description: any question about the law, models: [openai/gpt-4o]}\n")
    ended = run("config", "check", str(config), "--offline")
    warnings = [line for line in ended.stderr.splitlines() if line.startswith("warning")]
    assert len(warnings) == 1, ended.stderr
    assert "'rest' takes every request" in warnings[0]


def test_config_check_refuses_what_up_would(config: Path) -> None:
    config.write_text(CONFIG.replace("default: true", "defualt: true"))
    ended = run("config", "check", str(config), "--offline")
    assert (ended.returncode, ended.stdout, "'defualt'" in ended.stderr) == (1, "", True)


async def test_config_check_says_which_server_keeps_the_pins(config: Path, tmp_path: Path) -> None:
    async with RedisServer(tmp_path / "redis") as server:
        cache = f"routing: {{session_cache: {{type: redis, url: '{server.url}'}}}}\n"
        await asyncio.to_thread(config.write_text, CONFIG + cache)
        ended = await asyncio.to_thread(run, "config", "check", str(config), "--offline")
        assert f"session store: {server.url} answers, at 127.0.0.1:{server.port}\n" in ended.stderr
        await server.kill()
        ended = await asyncio.to_thread(run, "config", "check", str(config), "--offline")
    assert ended.returncode == 0
    assert f"session store: {server.url} does not answer" in ended.stderr
