"""Clients with named keys: each is a tenant, and is named in the log and in the metrics."""

import json
import logging
from dataclasses import replace

import pytest

from plano_agents.config.client_keys import build_client_key
from plano_agents.config.model import Config, Routing
from plano_agents.config.options import SessionCache
from plano_agents.observe.log import Event
from plano_agents.secret_str import SecretStr
from plano_agents.testing import FakeUpstream
from tests.router.conftest import GPT, build_config, chat, run_router
from tests.router.raw_client import build_request, complete, talk

ALICE, BOB = "alice-key-of-24-characters", "bob-key-of-24-characters-x"
ID = "x-model-affinity: run-1"


def configure(provider: FakeUpstream, **fields: object) -> Config:
    keys = (build_client_key(ALICE, "alice"), build_client_key(BOB, "bob"))
    return replace(
        build_config(GPT, base_url=provider.url, client_keys=keys, admin_token=SecretStr("t")),
        **fields,  # type: ignore[arg-type]  # the test names fields
    )


async def ask(url: str, key: str, *headers: str) -> str:
    status, head, _ = await talk(url, build_request(chat(), f"authorization: Bearer {key}", ID, *headers))
    assert status == 200
    (told,) = [line for line in head.split("\r\n") if line.startswith("x-plano-affinity: ")]
    return told.removeprefix("x-plano-affinity: ")


async def test_two_clients_with_one_id_never_meet() -> None:
    async with FakeUpstream(complete) as provider, run_router(configure(provider)) as url:
        told = [await ask(url, key) for key in (ALICE, BOB, ALICE, BOB)]
    first, later = "initialize; reason=first_turn", "retain; reason=pinned"
    assert told == [first, first, later, later]


async def test_a_tenant_header_comes_before_the_name() -> None:
    """A gateway that sets it speaks for tenants of its own."""
    routing = Routing(session_cache=SessionCache(tenant_header="x-tenant"))
    async with FakeUpstream(complete) as provider, run_router(configure(provider, routing=routing)) as url:
        told = [await ask(url, key, "x-tenant: acme") for key in (ALICE, BOB)]
    assert told == ["initialize; reason=first_turn", "retain; reason=pinned"]


async def test_operators_find_a_session_by_the_clients_name() -> None:
    async with FakeUpstream(complete) as provider, run_router(configure(provider)) as url:
        await ask(url, ALICE)
        request = build_request(b"", "authorization: Bearer t", method="GET", path="/affinity/run-1?tenant=alice")
        status, _, body = await talk(url, request)
    assert (status, json.loads(body)["tenant"]) == (200, "alice")


async def test_the_log_names_the_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with FakeUpstream(complete) as provider, run_router(configure(provider)) as url:
        for key in (ALICE, BOB, BOB):
            await ask(url, key)
    events = [record.msg for record in caplog.records if isinstance(record.msg, Event)]
    requests = [fields for event in events if (fields := event.fields()).get("event") == "request"]
    assert [(fields["client"], fields["tenant"]) for fields in requests] == [
        ("alice", "alice"),
        ("bob", "bob"),
        ("bob", "bob"),
    ]
    assert all(key not in caplog.text for key in (ALICE, BOB))


async def test_metrics_count_requests_by_client() -> None:
    async with FakeUpstream(complete) as provider, run_router(configure(provider)) as url:
        for key in (ALICE, BOB, BOB):
            await ask(url, key)
        request = build_request(b"", "authorization: Bearer t", method="GET", path="/metrics")
        _, _, body = await talk(url, request)
    counts = [line for line in body.decode().splitlines() if line.startswith("plano_client_requests_total{")]
    assert counts == [
        'plano_client_requests_total{client="alice",status="2xx"} 1.0',
        'plano_client_requests_total{client="bob",status="2xx"} 2.0',
    ]
