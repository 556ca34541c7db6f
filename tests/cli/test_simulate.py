import json
import re
import urllib.error
import urllib.request

from click.testing import CliRunner

from plano_agents.cli.simulate import simulate_command
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


def test_the_help_says_how_faults_are_set_and_so_they_are() -> None:
    told = CliRunner().invoke(simulate_command, ["--help"]).output
    header = re.search(r"-H '(X-Simulate-Fault): (.+?)'", told)
    control = re.search(r"curl -X PUT \S+?(/simulator/\S+) .*?-d '(.+?)'", told, re.DOTALL)
    assert header is not None
    assert control is not None
    with running("simulate", "--port", "0") as process:
        url = re.search(r"http://127\.0\.0\.1:\d+", read_until(process, "OpenAI"))
        assert url is not None
        assert ask(f"{url[0]}/v1/chat/completions", **{header[1]: header[2]}) == 429
        put = {"Content-Type": "application/json"}
        request = urllib.request.Request(url[0] + control[1], control[2].encode(), put, method="PUT")
        urllib.request.urlopen(request).read()
        assert [ask(f"{url[0]}/v1/chat/completions") for _ in range(3)] == [503, 503, 200]


def ask(url: str, **headers: str) -> int:
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello."}]}).encode()
    request = urllib.request.Request(
        url, body, {"Content-Type": "application/json", "Authorization": "Bearer k", **headers}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
