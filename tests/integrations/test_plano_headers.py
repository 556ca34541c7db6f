"""The router's headers: read from answers, written into requests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.integrations.plano_headers import (
    build_affinity_headers,
    drop_affinity_headers,
    find_hint,
    parse_plano_headers,
    parse_server_timing,
)

NAMES = st.sampled_from(
    ["X-Plano-Model", "x-plano-route", "X-PLANO-AFFINITY", "X-Model-Affinity", "Server-Timing", "Date"]
)


def test_only_what_came_is_there() -> None:
    assert parse_plano_headers({"Content-Type": "application/json"}) == {}
    assert parse_plano_headers({"X-Plano-Affinity": "none"}) == {"decision": "none"}


def test_a_degraded_decision_is_told() -> None:
    headers = {"x-plano-affinity": "retain; reason=pinned; degraded=store; later=more"}
    assert parse_plano_headers(headers) == {"decision": "retain", "reason": "pinned", "degraded": "store"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("routing;dur=1.2, upstream;dur=300", {"routing": 1.2, "upstream": 300.0}),
        ('routing; desc="lexical"; DUR="0.5" ,cache', {"routing": 0.5}),
        ("routing;dur=soon, upstream;dur=nan", {}),
        ("", {}),
    ],
)
def test_server_timing_is_read_in_milliseconds(value: str, expected: dict[str, float]) -> None:
    assert parse_server_timing(value) == expected


@given(st.dictionaries(NAMES, st.text()))
def test_any_headers_are_read_into_json(headers: dict[str, str]) -> None:
    json.dumps(parse_plano_headers(headers), allow_nan=False)


@given(st.dictionaries(st.sampled_from(["X-Model-Affinity", "x-model-affinity", "X-Other"]), st.text()))
def test_the_id_is_written_once_and_the_rest_kept(headers: dict[str, str]) -> None:
    written = build_affinity_headers(headers, "run-1", None)
    assert [value for name, value in written.items() if name.lower() == "x-model-affinity"] == ["run-1"]
    assert written.get("X-Other") == headers.get("X-Other")


def test_nothing_of_a_run_stays_after_dropping() -> None:
    written = build_affinity_headers({"X-Team": "search"}, "run-1", "openai/gpt-4o")
    assert drop_affinity_headers(written) == {"X-Team": "search"}


@pytest.mark.parametrize("plano", [None, "x", [], {}, {"model": None}, {"model": ""}, {"model": "é"}, {"model": "a\n"}])
def test_an_unusable_transcript_gives_no_hint(plano: object) -> None:
    assert find_hint([{"model_provider": "plano", "plano": plano}]) is None


def test_another_deployment_is_read_with_what_made_it_another_and_hints_at_the_same_model() -> None:
    headers = {
        "x-plano-model": "openai/gpt-4o",
        "x-plano-deployment": "eu-west",
        "x-plano-affinity": "retain; reason=deployment; because=status 429",
    }
    plano = parse_plano_headers(headers)
    assert (plano["deployment"], plano["reason"], plano["because"]) == ("eu-west", "deployment", "status 429")
    assert find_hint([{"model_provider": "plano", "plano": plano}]) == "openai/gpt-4o"


def test_a_detour_hints_at_the_pin_and_not_at_the_fallback() -> None:
    headers = {
        "x-plano-model": "anthropic/claude",
        "x-plano-affinity": "detour; reason=unsuitable; pinned=openai/gpt-4o; because=tools[0].type",
    }
    plano = parse_plano_headers(headers)
    assert (plano["decision"], plano["pinned"], plano["because"]) == (
        "detour",
        "openai/gpt-4o",
        "tools[0].type",
    )
    assert find_hint([{"model_provider": "plano", "plano": plano}]) == "openai/gpt-4o"
    assert find_hint([{"model_provider": "openai", "headers": headers}]) == "openai/gpt-4o"


def test_the_source_of_a_session_is_read() -> None:
    told = "harness=claude-code; lane=main/claude-sonnet-4-6"
    assert parse_plano_headers({"X-Plano-Session": told})["session"] == told


def test_the_newest_message_alone_gives_the_hint() -> None:
    by_router = {"model_provider": "plano", "plano": {"model": "openai/gpt-4o"}}
    assert find_hint([by_router, {}]) == "openai/gpt-4o"
    assert find_hint([{"model_provider": "openai"}, by_router]) is None
    assert find_hint([]) is None
