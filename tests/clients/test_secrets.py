"""No secret in what the router writes or answers, whatever goes wrong: a real process, with canaries for secrets.

A provider's own words are the exception, and are passed on: a provider that repeats the key it was sent tells it to
the client. They are not logged either.
"""

import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from plano_agents.demos.child import ROUTER_READY, running_server
from plano_agents.testing import FakeUpstream, UpstreamExchange
from tests.clients.conftest import SIMULATOR_READY
from tests.patience import PATIENCE_SECONDS

KEYS = {
    "PROVIDER_KEY": "canary-provider-key",
    "PROVIDER_HEADER": "canary-provider-header",
    "CLIENT_KEY": "canary-client-key",
    "ADMIN_TOKEN": "canary-admin-token",
}
FOREIGN_KEY = "canary-foreign-key"
PROMPT = "canary-prompt"
SECRETS = (*KEYS.values(), FOREIGN_KEY, PROMPT)

LISTENER = "version: v0.4.0\nlisteners: [{type: model, name: m, port: 12000}]\nmodel_providers:\n"
SETTINGS = """
client_keys: [$CLIENT_KEY]
admin_token: $ADMIN_TOKEN
limits: {max_body_bytes: 20000}
retries: {max_per_candidate: 0}
"""
FAULTS = {
    "fine": "times=0",
    "refused": "status=401",
    "limited": "status=429",
    "failing": "status=500",
    "cut": "cut-after=700",
}
SURFACES = ("chat/completions", "messages", "responses")


@dataclass
class Process:
    """A router's process, and all that it said so far, on both streams."""

    popen: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)
    url: str = ""

    def read_until(self, wanted: re.Pattern[str]) -> str:
        """Wait for a line; give what the pattern's first group finds in it."""
        for line in self.popen.stdout or ():
            self.said.append(line)
            found = wanted.search(line)
            if found is not None:
                return found.group(1)
        raise AssertionError("".join(self.said))

    def stop(self) -> str:
        """End it; give all that it ever said."""
        self.popen.terminate()
        self.said += self.popen.stdout or ()
        return "".join(self.said)

    def send(self, path: str, body: bytes | None, key: str = KEYS["CLIENT_KEY"]) -> tuple[int, str]:
        """Send a request; give the status and everything that was answered, however it ended."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE_SECONDS)
        headers = {
            "content-type": "application/json",
            "x-model-affinity": str(uuid.uuid4()),
            "x-api-key": key,
        }
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        try:
            content = answer.read()
        except http.client.IncompleteRead as broken:
            content = broken.partial
        connection.close()
        return answer.status, f"{answer.headers}{content.decode()}"


async def blab(exchange: UpstreamExchange) -> None:
    """Repeat the key and the prompt that were sent, in an error."""
    await exchange.fail(401, f"wrong key {exchange.headers['authorization']} for {exchange.body.decode()}")


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Process]:
    config = tmp_path / "config.yaml"
    (tmp_path / "plano-agents.yaml").write_text(SETTINGS)
    simulate = ["-m", "plano_agents", "simulate", "--port", "0"]
    with running_server(simulate, SIMULATOR_READY) as simulator, FakeUpstream(blab) as blabbing:
        models = [
            f"{{model: {provider}/{provider}-{name}, base_url: '{simulator}', access_key: $PROVIDER_KEY, "
            f"headers: {{x-simulate-fault: '{fault}', x-further: $PROVIDER_HEADER}}}}"
            for provider in ("openai", "anthropic")
            for name, fault in FAULTS.items()
        ]
        models += [
            "{model: openai/down, base_url: 'http://127.0.0.1:9', access_key: $PROVIDER_KEY}",
            f"{{model: openai/blabbing, base_url: '{blabbing.url}', access_key: $PROVIDER_KEY}}",
        ]
        config.write_text(LISTENER + "".join(f"  - {model}\n" for model in models))
        command = [sys.executable, "-u", "-m", "plano_agents", "up", str(config), "--port", "0"]
        with subprocess.Popen(
            command,
            env={**os.environ, **KEYS},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                started = Process(process)
                started.url = started.read_until(ROUTER_READY)
                yield started
            finally:
                process.kill()


def write(path: str, **fields: object) -> bytes:
    """Write a request whose prompt is a canary."""
    said = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 100}
    return json.dumps(({"input": PROMPT} if path == "responses" else said) | fields).encode()


def write_bad(path: str) -> Iterator[bytes]:
    """Write requests that cannot be served, with the prompt in the wrong place.

    None where one of a few words belongs: such a value is told back, to its sender alone.
    """
    model = "anthropic/anthropic-fine"
    yield write(path)[:-1]
    yield f'"{PROMPT}"'.encode()
    yield f'{{"model": "{PROMPT}'.encode() + b"\xff"
    yield write(path, model="nobody")
    yield write(path, padding="x" * 20_000)
    for name in ("messages", "input", "stream", "tools", "max_tokens", "routing_preferences"):
        for value in (PROMPT, {"content": PROMPT}, [PROMPT], [{"role": 1, "content": PROMPT}]):
            yield write(path, **{"model": model, name: value})


def find_secrets(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def find_told(status: int, answer: str) -> list[str]:
    """Find secrets in an answer; a model may repeat its prompt."""
    return [secret for secret in find_secrets(answer) if (status, secret) != (200, PROMPT)]


def test_no_secret_is_written_or_answered(router: Process) -> None:
    for path, provider, streamed in itertools.product(SURFACES, ("openai", "anthropic"), (False, True)):
        for name in FAULTS:
            body = write(path, model=f"{provider}/{provider}-{name}", stream=streamed)
            status, answer = router.send(f"/v1/{path}", body)
            if name != "cut":
                assert (status == 200) is (name == "fine"), (path, provider, name, answer)
            assert not find_told(status, answer), answer
    for path in SURFACES:
        for body in (*write_bad(path), write(path, model="openai/down")):
            for prefix in ("", "/routing"):
                status, answer = router.send(f"{prefix}/v1/{path}", body)
                assert not find_told(status, answer), (body, answer)
        status, answer = router.send(f"/v1/{path}", write(path), FOREIGN_KEY)
        assert (status, find_secrets(answer)) == (401, [])
    for page in ("/v1/models", "/openapi.json", "/docs", "/healthz", "/readyz", "/metrics", "/nowhere"):
        assert not find_secrets(router.send(page, None)[1]), page
    assert not find_secrets(router.stop())


def test_a_providers_own_words_are_passed_on_and_not_written(router: Process) -> None:
    for path in SURFACES:
        status, answer = router.send(f"/v1/{path}", write(path, model="openai/blabbing"))
        assert (status, find_secrets(answer)) == (401, [KEYS["PROVIDER_KEY"], PROMPT])
    assert not find_secrets(router.stop())


def test_no_secret_is_told_of_a_configuration_that_is_refused(router: Process, tmp_path: Path) -> None:
    secret = KEYS["PROVIDER_KEY"]
    entries = [
        f"{{model: openai/a, access_key: [{secret}]}}",
        f"{{model: openai/b, acess_key: {secret}}}",
        f"{{model: openai/c, access_key: {secret}, headers: {{a b: {secret}, c: [{secret}]}}}}",
        f"{{model: openai/d, access_key: '{secret}\\\\n$NOT_SET', base_url: 'http://me:{secret}@host/?k={secret}'}}",
    ]
    (tmp_path / "config.yaml").write_text(LISTENER + "".join(f"  - {entry}\n" for entry in entries))
    router.popen.send_signal(signal.SIGHUP)
    router.read_until(re.compile("(the old configuration stays)"))
    assert not find_secrets(router.stop())
