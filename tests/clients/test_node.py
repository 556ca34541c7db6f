"""The official SDKs for node as clients; what they check stands in the scripts, one test each."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, PLACES, PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("script", ["openai_sdk.mjs", "anthropic_sdk.mjs"])
def test_the_official_node_sdk_is_served(node: Path, faulty_router: str, script: str, provider: str) -> None:
    ended = subprocess.run(
        [node, "--test-reporter=spec", HERE / script],
        env={**os.environ, "ROUTER_URL": faulty_router, "PROVIDER": provider, "PLACES": str(PLACES)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
