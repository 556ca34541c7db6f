"""The pin in the transcript: conversations go on with their model in other processes, whatever the router forgot."""

import json
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from plano_agents.affinity import derive_affinity_id
from plano_agents.testing import offline_router
from tests.faults.postgres_server import running_postgres
from tests.integrations.resumed_agent import Turn, take_turn

WEIGH = "Weigh the trade-offs of two queue designs and reason about which is better."
WRITE = "Now write a Python function with boilerplate code for it."
REASONER, CODER = "openai/gpt-4o", "anthropic/claude-sonnet-4-6"
"""What the project's preferences choose for each of the questions."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The store of conversations."""
    if request.param == "sqlite":
        return str(tmp_path / "checkpoints.sqlite")
    url: str = request.getfixturevalue("postgres")
    return url


@pytest.fixture
def thread_id() -> str:
    return str(uuid.uuid4())


def test_a_conversation_goes_on_with_its_model_in_another_process_after_the_router_forgot_it(
    root: Path, checkpoints: str, thread_id: str
) -> None:
    with offline_router(root / "config.yaml") as router:
        assert take_turn(router, checkpoints, thread_id, WEIGH) == Turn(REASONER, "first_turn", 2)
        assert take_turn(router, checkpoints, f"{thread_id}-other", WRITE) == Turn(CODER, "first_turn", 2)
    with offline_router(root / "config.yaml") as router:
        command = [sys.executable, "-m", "tests.integrations.resumed_agent"]
        ended = subprocess.run(
            [*command, router, checkpoints, thread_id, WRITE],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert Turn(**json.loads(ended.stdout)) == Turn(REASONER, "hint", 4)
        assert take_turn(router, checkpoints, thread_id, WRITE) == Turn(REASONER, "pinned", 6)


def test_forks_and_time_travel_go_on_with_the_model_of_their_own_past(
    offline_router: str, checkpoints: str, thread_id: str
) -> None:
    coder = f"coder-{thread_id}"
    take_turn(offline_router, checkpoints, f"{thread_id}-other", WRITE, model_affinity_id=coder)
    take_turn(offline_router, checkpoints, thread_id, WEIGH)
    second = take_turn(offline_router, checkpoints, thread_id, WEIGH, model_affinity_id=coder)
    assert second == Turn(CODER, "pinned", 4)
    forget(offline_router, derive_affinity_id(thread_id))
    travelled = take_turn(offline_router, checkpoints, thread_id, WRITE, after=REASONER)
    assert travelled == Turn(REASONER, "hint", 4)

    early, late = (
        take_turn(offline_router, checkpoints, thread_id, question, after=model, model_affinity_id=fork)
        for question, model, fork in ((WRITE, REASONER, f"e-{thread_id}"), (WEIGH, CODER, f"l-{thread_id}"))
    )
    assert early == Turn(REASONER, "hint", 6)
    assert late == Turn(CODER, "hint", 6)


def forget(router: str, affinity_id: str) -> None:
    """Make a router forget a pin, as if it had been started again."""
    url = f"{router.removesuffix('/v1')}/affinity/{affinity_id}"
    with urllib.request.urlopen(urllib.request.Request(url, method="DELETE")):
        pass
