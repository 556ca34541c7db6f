"""Paths that a mistaken base address makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.router.operate.admin import OPERATORS_PATHS, is_operators
from plano_agents.router.operate.probes import PROBES
from plano_agents.router.request.addresses import correct_path
from plano_agents.router.request.surfaces import ENDPOINTS

SERVED = (*ENDPOINTS, "/v1/models")
OWN = (*OPERATORS_PATHS, *PROBES, "/docs", "/openapi.json", "/inspector/api/requests")
PIECES = st.sampled_from(
    [
        "/",
        "//",
        "v1",
        "v1/",
        "routing",
        "chat",
        "completions",
        "messages",
        "responses",
        "models",
        "affinity",
        "metrics",
        "inspector",
        "..",
        ".",
        "healthz",
        "?",
        "%2f",
        "x",
    ]
)
PATHS = st.lists(PIECES, max_size=8).map("".join)


@pytest.mark.parametrize("path", SERVED)
@pytest.mark.parametrize("mistaken", ["/v1{}", "/{}", "{}/", "//v1/{}//"])
def test_a_base_with_v1_or_a_slash_too_much_is_seen_through(path: str, mistaken: str) -> None:
    assert correct_path(mistaken.format(path)) == path


@pytest.mark.parametrize("path", SERVED)
def test_a_base_without_v1_is_seen_through(path: str) -> None:
    assert correct_path(path.replace("/v1", "")) == path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/v1/models/openai/gpt-4o", "/v1/models/openai/gpt-4o"),
        ("//v1/models/openai/gpt-4o/", "/v1/models/openai/gpt-4o"),
        ("/models/gpt-4o", "/v1/models/gpt-4o"),
        ("/v1//models", "/v1/models"),
        ("/v1/models/", "/v1/models"),
    ],
)
def test_a_models_id_stays_as_it_is(path: str, meant: str) -> None:
    assert correct_path(path) == meant


@pytest.mark.parametrize("path", [*SERVED, *OWN, *(f"/v1{path}" for path in OWN), *(f"/{path}" for path in OWN)])
def test_what_is_not_a_mistaken_path_of_the_api_stays(path: str) -> None:
    assert correct_path(path) == path


@given(PATHS)
def test_only_the_apis_own_paths_are_ever_the_outcome(path: str) -> None:
    """No operators' path, page or health check has a second spelling."""
    meant = correct_path(path)
    assert meant == path or meant in SERVED or meant.startswith("/v1/models/")
    assert is_operators(meant) == is_operators(path)
    assert correct_path(meant) == meant


@pytest.mark.parametrize(
    "path",
    ["/v1" * 300_000 + "/x", "/v1/models/a" + "/" * 1_000_000 + "\0b/", "/" * 1_000_000 + "x"],
    ids=["versions", "slashes of a model", "slashes"],
)
def test_a_long_path_is_read_in_one_pass(path: str) -> None:
    """Read in every way in which its parts could share it, it would take hours."""
    assert correct_path(path) == path.removesuffix("/")
