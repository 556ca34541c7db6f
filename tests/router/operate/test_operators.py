"""The operators' endpoints, on a real router: sessions explained, listed, dropped; counters."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Config, Preference, Routing
from plano_agents.config.options import PromptCaching, Retries, SessionCache
from plano_agents.protocol.usage import Tokens
from plano_agents.router.operate.operators import describe_session
from plano_agents.secret_str import SecretStr
from plano_agents.sessions.memory import MemorySessionStore
from plano_agents.sessions.pin import Pin, Session, SessionKey
from plano_agents.sessions.store import SessionStore
from plano_agents.testing import FakeUpstream, UpstreamExchange, give
from tests.router.conftest import build_config, chat, run_router

GPT, MINI, OTHER = "openai/gpt-4o", "openai/gpt-4o-mini", "openai/other"
USAGE = (
    b'{"id": "c", "choices": [{}], "usage": {"prompt_tokens": 100, "completion_tokens": 7, '
    b'"prompt_tokens_details": {"cached_tokens": 64}}}'
)


answer = give(USAGE)


async def fail_as_gpt(exchange: UpstreamExchange) -> None:
    if b'"gpt-4o"' in exchange.body:
        await exchange.answer(b"{}", status=500)
    else:
        await exchange.answer(USAGE)


class Client:
    """A client and an operator of one router."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, affinity_id: str | None = None, *, model: str = GPT, **headers: str) -> httpx.Response:
        if affinity_id is not None:
            headers["x-model-affinity"] = affinity_id
        names = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        return await self.http.post("/v1/chat/completions", content=chat(model=model), headers=names)

    async def get(self, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        return await self.http.get(path, **options)

    async def explain(self, affinity_id: str, **params: str) -> dict[str, Any]:
        response = await self.get(f"/affinity/{quote(affinity_id, safe='')}", params=params)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def list_ids(self, **params: str | int) -> list[str]:
        response = await self.get("/affinity", params=params)
        assert response.status_code == 200, response.text
        return [session["affinity_id"] for session in response.json()["sessions"]]


@asynccontextmanager
async def run(
    config: Config,
    behaviour: Any = answer,  # noqa: ANN401 - a FakeUpstream's
    store: SessionStore | None = None,
) -> AsyncGenerator[Client, None]:
    async with FakeUpstream(behaviour) as provider:
        models = tuple(replace(model, base_url=provider.url) for model in config.models)
        async with (
            run_router(replace(config, models=models), store) as url,
            httpx.AsyncClient(base_url=url, headers={"content-type": "application/json"}) as http,
        ):
            yield Client(http)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with run(build_config(GPT, MINI)) as client:
        yield client


async def test_any_number_of_decisions_leaves_the_pins_that_were_served() -> None:
    config = build_config(GPT, MINI)
    config = replace(config, routing=replace(config.routing, session_max_entries=2))
    async with run(config) as client:
        await client.ask("served-1", model=MINI)
        await client.ask("served-2", model=MINI)
        for number in range(5):
            headers = {"x-model-affinity": f"decided-{number}"}
            await client.http.post("/routing/v1/chat/completions", content=chat(), headers=headers)
        found = await client.list_ids()
        turns = [(await client.explain(affinity_id))["turns"] for affinity_id in found]
    assert (found, turns) == (["served-2", "served-1", "decided-4", "decided-3"], [1, 1, 0, 0])


async def test_a_session_is_explained(client: Client) -> None:
    await client.ask("run-1", model=MINI)
    await client.ask("run-1")
    session = await client.explain("run-1")
    assert (session["affinity_id"], session["model"], session["route"]) == ("run-1", MINI, None)
    assert (session["decision"], session["reason"]) == ("initialize", "first_turn")
    assert session["why"] == "the session's first turn matched no preference"
    assert session["turns"] == 2
    assert session["tokens"] == {"input": 200, "output": 14, "cached": 128}
    assert 590 < session["seconds_left"] <= 600
    assert 0 <= session["age_seconds"] < 60
    assert (session["requests_in_flight"], session["switches"], session["degraded"]) == (0, [], None)
    assert session["pinned_at"] <= session["last_used_at"]


async def test_explaining_a_session_does_not_renew_it(client: Client) -> None:
    await client.ask("run-1")
    first = await client.explain("run-1")
    second = await client.explain("run-1")
    assert second["last_used_at"][:19] == first["last_used_at"][:19]
    assert second["seconds_left"] <= first["seconds_left"]
    assert second["turns"] == 1


async def test_a_hinted_session_says_so(client: Client) -> None:
    await client.ask("run-1", x_model_affinity_hint=MINI)
    session = await client.explain("run-1")
    assert (session["model"], session["reason"]) == (MINI, "hint")
    assert "X-Model-Affinity-Hint" in session["why"]


async def test_a_switch_stands_in_the_timeline() -> None:
    preference = Preference("talk", "small talk", (GPT, MINI))
    config = build_config(GPT, MINI, preferences=(preference,), retries=Retries(max_per_candidate=0))
    async with run(config, fail_as_gpt) as client:
        await client.http.post(
            "/v1/chat/completions",
            content=b'{"messages": [{"role": "user", "content": "small talk"}]}',
            headers={"x-model-affinity": "run-1"},
        )
        session = await client.explain("run-1")
    assert (session["model"], session["decision"], session["reason"]) == (MINI, "switch", "upstream_failed")
    assert session["why"] == f"{GPT} failed for good, and {MINI} answered in its place (status 500)"
    assert session["switch_count"] == 1
    [switch] = session["switches"]
    assert (switch["from_model"], switch["to_model"], switch["reason"]) == (GPT, MINI, "upstream_failed")
    assert switch["because"] == "status 500"


async def test_a_move_to_another_deployment_stands_in_the_timeline() -> None:
    pin = Pin(GPT, "talk", "first_turn", 1.0, "1", deployment="eu").move_deployment("us", 2.0, "status 429")
    session = Session(SessionKey("", "run-1"), pin, 3.0, 600.0, 0, 2, Tokens())
    told = describe_session(session, now=4.0).model_dump(mode="json")
    assert (told["model"], told["deployment"], told["switch_count"]) == (GPT, "us", 0)
    assert (told["decision"], told["reason"]) == ("initialize", "first_turn")
    [moved] = told["deployment_moves"]
    del moved["at"]
    assert moved == {"model": GPT, "from_deployment": "eu", "to_deployment": "us", "because": "status 429"}


async def test_a_lane_of_a_harness_session_is_explained_by_its_key(client: Client) -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    headers = {"x-claude-code-session-id": "s-1", "x-claude-code-agent-id": "a-1"}
    await client.http.post("/v1/chat/completions", content=body, headers=headers)
    (key,) = await client.list_ids()
    assert key == "claude-code·s-1·agent-side/a-1/m"
    response = await client.get(f"/affinity/{quote(key, safe='')}")
    assert response.json()["source"] == "harness=claude-code; lane=agent-side/a-1/m"


async def test_a_session_is_found_by_a_beginning_that_fits_it_alone(client: Client) -> None:
    for affinity_id in ("run-1", "run-10", "other"):
        await client.ask(affinity_id, model=MINI)

    async def find(beginning: str, **params: str) -> httpx.Response:
        return await client.get(f"/affinity/{beginning}", params={"beginning": "true", **params})

    found = [(await find(beginning)).json().get("affinity_id") for beginning in ("run-1", "run-10", "o", "run")]
    assert found == ["run-1", "run-10", "other", None]
    refused = await find("run")
    assert (refused.status_code, "'run-1'" in refused.text, "'run-10'" in refused.text) == (404, True, True)
    assert (await client.get("/affinity/o")).status_code == 404, "where it is not asked for, an id is a whole one"
    assert (await find("o", tenant="t")).status_code == 404


async def test_a_harness_session_is_found_by_its_own_id_which_means_the_main_lane(client: Client) -> None:
    headers = {"x-claude-code-session-id": "s-1", "user-agent": "claude-cli/2.1.0 (external, cli)"}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    for fields in ({"tools": [tool]}, {"model": MINI}):
        answer = await client.http.post("/v1/chat/completions", content=chat(**fields), headers=headers)
        assert answer.status_code == 200, answer.text
    found = [
        (await client.get(f"/affinity/{beginning}", params={"beginning": "true"})).json().get("affinity_id", "")
        for beginning in ("s-1", "claude-code", "claude-code·s-1·side")
    ]
    assert found[0].startswith("claude-code·s-1·main/")
    assert found[1:] == ["", f"claude-code·s-1·side/{MINI}"]


async def test_a_label_is_told_to_operators_alone() -> None:
    seen: list[str] = []

    async def note(exchange: UpstreamExchange) -> None:
        seen.extend(exchange.headers)
        await answer(exchange)

    async with run(build_config(GPT, MINI), note) as client:
        await client.ask("run-1", model=MINI, x_plano_label="Prüfung")
        await client.ask("run-1", model=MINI)
        told = (await client.explain("run-1"))["label"]
        listed = (await client.get("/affinity")).json()["sessions"][0]["label"]
    assert (told, listed) == ("Prüfung", "Prüfung")
    assert "x-plano-label" not in seen


@pytest.mark.parametrize("affinity_id", ["a/b", "a%2Fb", "a?b#c", "..", "a/../b", "~!@$&'()*+,;=:", "[x]", "\\"])
async def test_an_id_of_any_characters_is_found_by_its_encoded_path(client: Client, affinity_id: str) -> None:
    await client.ask(affinity_id)
    assert (await client.list_ids()) == [affinity_id]
    path = "".join(f"%{byte:02x}" for byte in affinity_id.encode())
    response = await client.get(f"/affinity/{path}")
    assert response.json()["affinity_id"] == affinity_id


async def test_an_id_without_a_pin_is_not_found(client: Client) -> None:
    response = await client.get("/affinity/nobody")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "session_not_found")
    assert "'nobody'" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/affinity/", "/affinity/a%20b", "/affinity/%C3%A9", "/affinity/" + "x" * 257])
async def test_what_is_no_id_is_refused(client: Client, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_affinity_id")


async def test_a_dropped_session_is_routed_anew(client: Client) -> None:
    await client.ask("run-1", model=MINI)
    dropped = await client.http.delete("/affinity/run-1")
    assert (dropped.status_code, dropped.json()["dropped"]) == (200, True)
    answer = await client.ask("run-1", model=GPT)
    assert answer.headers["x-plano-affinity"] == "initialize; reason=first_turn"
    assert answer.headers["x-plano-model"] == GPT


async def test_dropping_what_is_not_pinned_says_so(client: Client) -> None:
    assert (await client.http.delete("/affinity/run-1")).status_code == 404


async def test_sessions_are_listed_latest_first_in_pages(client: Client) -> None:
    for number in range(5):
        await client.ask(f"run-{number}")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/affinity", params=params)).json()
        seen += [session["affinity_id"] for session in page["sessions"]]
        cursor = page["next"]
    assert seen == [f"run-{number}" for number in (4, 3, 2, 1, 0)]


async def test_sessions_are_filtered(client: Client) -> None:
    await client.ask("a-1", model=MINI)
    await client.ask("b-1", model=GPT)
    assert await client.list_ids(model="gpt-4o-mini") == ["a-1"]
    assert await client.list_ids(prefix="b") == ["b-1"]
    assert await client.list_ids(model="openai/nobody") == []
    assert await client.list_ids(route="code") == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"limit": "0"}, "'limit' is '0'"),
        ({"limit": "501"}, "'limit' is '501'"),
        ({"limit": "many"}, "'limit' is 'many'"),
        ({"cursor": "x"}, "'x' is not a cursor"),
        ({"modle": "x"}, "no parameter 'modle'"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(client: Client, params: dict[str, str], said: str) -> None:
    response = await client.get("/affinity", params=params)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


async def test_tenants_are_kept_apart() -> None:
    config = build_config(GPT, MINI, routing=Routing(session_cache=SessionCache(tenant_header="x-tenant")))
    async with run(config) as client:
        await client.ask("run-1", model=GPT, x_tenant="acme")
        await client.ask("run-1", model=MINI, x_tenant="zeta")
        assert (await client.explain("run-1", tenant="acme"))["model"] == GPT
        assert (await client.explain("run-1", tenant="zeta"))["model"] == MINI
        assert (await client.get("/affinity/run-1")).status_code == 404
        assert await client.list_ids(tenant="acme") == ["run-1"]
        await client.http.delete("/affinity/run-1", params={"tenant": "acme"})
        assert [each["tenant"] for each in (await client.get("/affinity")).json()["sessions"]] == ["zeta"]


async def test_a_tenant_that_is_too_long_is_refused() -> None:
    config = build_config(GPT, routing=Routing(session_cache=SessionCache(tenant_header="x-tenant")))
    async with run(config) as client:
        assert (await client.ask("run-1", x_tenant="t" * 256)).status_code == 200
        refused = await client.ask("run-1", x_tenant="t" * 257)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x-tenant")


async def test_an_implicit_session_can_be_explained_and_dropped() -> None:
    config = build_config(GPT, MINI, prompt_caching=PromptCaching(enabled=True))
    async with run(config) as client:
        await client.ask()
        [affinity_id] = await client.list_ids()
        assert affinity_id.startswith("implicit·")
        assert (await client.explain(affinity_id))["turns"] == 1
        assert (await client.http.delete(f"/affinity/{quote(affinity_id)}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/affinity"), ("GET", "/affinity/x"), ("DELETE", "/affinity/x"), ("GET", "/metrics")],
)
@pytest.mark.parametrize("header", [("x-forwarded-for", "1.2.3.4"), ("host", "router.example")])
async def test_without_a_token_nothing_is_told_through_a_proxy(
    client: Client, method: str, path: str, header: tuple[str, str]
) -> None:
    response = await client.http.request(method, path, headers=[header])
    assert (response.status_code, response.json()["error"]["code"]) == (403, "admin_only")


async def test_the_admin_token_opens_and_a_client_key_does_not() -> None:
    config = build_config(GPT, admin_token=SecretStr("t"), client_keys=(build_client_key("k"),))
    async with run(config) as client:
        for path in ("/affinity", "/metrics"):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers={"authorization": "Bearer k"})).status_code == 401
            assert (await client.get(path, headers={"authorization": "Bearer t"})).status_code == 200


class ForgetfulStore(MemorySessionStore):
    """A store that is broken on purpose: it loses pins, and does not say so."""

    def open(self, key: SessionKey, ttl_seconds: float) -> Pin | None:
        super().open(key, ttl_seconds)
        self._in_use[key].pin = None
        return None


async def test_a_broken_promise_is_counted() -> None:
    async with run(build_config(GPT, MINI), store=ForgetfulStore(max_entries=10)) as client:
        for model in (GPT, GPT, MINI, GPT):
            await client.ask("run-1", model=model)
        assert "plano_affinity_violations_total 2.0" in (await client.get("/metrics")).text


class BrokenStore(MemorySessionStore):
    """A store with a bug."""

    async def find(self, key: SessionKey) -> tuple[Session | None, bool]:
        raise RuntimeError("prompt-canary", key)


async def test_a_bug_is_told_and_logged_by_its_place_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with run(build_config(GPT), store=BrokenStore(max_entries=10)) as client:
        response = await client.get("/affinity/run-1")
    assert response.status_code == 500
    assert response.json()["error"]["message"].startswith("The router failed on this request.")
    assert "unexpected error (RuntimeError at" in caplog.text
    assert "canary" not in response.text + caplog.text


async def test_decisions_are_counted_and_violations_are_none(client: Client) -> None:
    for affinity_id in ("run-1", "run-1", None):
        await client.ask(affinity_id)
    text = (await client.get("/metrics")).text
    assert 'plano_affinity_decisions_total{decision="initialize",degraded="",reason="first_turn"} 1.0' in text
    assert 'plano_affinity_decisions_total{decision="retain",degraded="",reason="pinned"} 1.0' in text
    assert 'plano_affinity_decisions_total{decision="none",degraded="",reason=""} 1.0' in text
    assert "plano_affinity_violations_total 0.0" in text


async def test_another_method_is_refused_with_those_that_are_served(client: Client) -> None:
    response = await client.http.put("/affinity/run-1")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET")
