"""Keys in files are rotated while the router serves, in one process and in several."""

from pathlib import Path

import pytest

from plano_agents.testing import FakeUpstream
from tests.faults.router_process import start_router, write_config
from tests.router.conftest import GPT, chat
from tests.router.raw_client import build_request, complete, talk

SHARED = {"session_cache": {"type": "redis", "url": "redis://127.0.0.1:1"}}
FROM_FILE = {GPT: {"access_key": {"file": "key"}}}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_rotated_key_is_sent_without_a_restart(tmp_path: Path, workers: str) -> None:
    key = tmp_path / "key"
    key.write_text("sk-old\n")
    async with FakeUpstream(complete) as provider:
        config = write_config(tmp_path, {GPT: provider.url}, routing=SHARED, models=FROM_FILE)
        async with start_router(config, "--workers", workers) as router:
            await talk(router.url, build_request(chat()))
            key.write_text("sk-rotated\n")
            await router.read_until("configuration reloaded")
            for _ in range(8):  # on connections of their own, so that every worker is asked
                await talk(router.url, build_request(chat()))
            code, errors = await router.stop()
    sent = [exchange.headers["authorization"] for exchange in provider.exchanges]
    assert sent == ["Bearer sk-old", *["Bearer sk-rotated"] * 8]
    assert (code, "sk-" in errors) == (0, False)


async def test_a_file_that_becomes_empty_is_told_and_the_old_key_stays(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-old")
    async with FakeUpstream(complete) as provider:
        config = write_config(tmp_path, {GPT: provider.url}, models=FROM_FILE)
        async with start_router(config) as router:
            key.write_text("")
            said = await router.read_errors_until("the old configuration stays\n")
            await talk(router.url, build_request(chat()))
            key.write_text("sk-rotated")
            await router.read_until("configuration reloaded")
            await talk(router.url, build_request(chat()))
    assert "is empty. Fill it." in said
    sent = [exchange.headers["authorization"] for exchange in provider.exchanges]
    assert sent == ["Bearer sk-old", "Bearer sk-rotated"]
