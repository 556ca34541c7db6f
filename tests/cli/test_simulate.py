import re
import urllib.request

from tests.cli.conftest import read_until, running
from tests.patience import PATIENCE_SECONDS


def test_simulate_serves_the_simulated_models_alone() -> None:
    with running("simulate", "--port", "0", "--model", "m-1") as process:
        said = read_until(process, "OpenAI")
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url is not None
        with urllib.request.urlopen(f"{url.group()}/v1/models") as answer:
            assert b"m-1" in answer.read()
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
