"""The official SDKs for node as clients; what they check stands in the scripts, one test each."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, PLACES, PROVIDERS
from tests.patience import PATIENCE_SECONDS


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("script", ["openai_sdk.mjs", "anthropic_sdk.mjs"])
def test_the_official_node_sdk_is_served(node: Path, faulty_router: str, script: str, provider: str) -> None:
    ended = subprocess.run(
        [node, "--test-reporter=spec", HERE / script],
        env={**os.environ, "ROUTER_URL": faulty_router, "PROVIDER": provider, "PLACES": str(PLACES)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


RECIPES = HERE / ".recipes"
"""The code blocks of ``docs/integrations.md``; beside the packages that they import."""

OPEN = {"openai": ("messages", "ofRun"), "vercel": ("tools, prompt", "text"), "fetch": ("", "")}
"""What each block leaves open, and what of it is looked at, in the order of the page."""


@pytest.fixture
def recipes(root: Path, offline_router: str) -> Path:
    """Write the page's JavaScript into modules of its own."""
    blocks = re.findall(
        r"^```js\n(.*?)^```$", (root / "docs" / "integrations.md").read_text(), re.MULTILINE | re.DOTALL
    )
    RECIPES.mkdir(exist_ok=True)
    for (name, (taken, shown)), block in zip(OPEN.items(), blocks, strict=True):
        code = block.replace("http://127.0.0.1:12000/v1", offline_router)
        exported = f"export {{ {shown} }};\n" if shown else ""
        module = f"const {{ {taken} }} = globalThis.given;\n{code}{exported}"
        (RECIPES / f"{name}.mjs").write_text(module)
    return RECIPES


def test_the_documents_recipes_work(node: Path, offline_router: str, recipes: Path) -> None:
    ended = subprocess.run(
        [node, "--test-reporter=spec", HERE / "recipes.mjs"],
        env={**os.environ, "ROUTER_URL": offline_router, "RECIPES": str(recipes)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
