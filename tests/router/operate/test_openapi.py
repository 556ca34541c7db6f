from typing import Any

import httpx
import pytest

from plano_agents.router.operate.pages import create_pages
from plano_agents.router.request.surfaces import ENDPOINTS
from tests.router.conftest import build_config


def read_document() -> dict[str, Any]:
    return create_pages(build_config()).openapi()


def test_every_proxied_endpoint_is_described() -> None:
    assert {path for path, methods in read_document()["paths"].items() if "post" in methods} == set(ENDPOINTS)


def test_what_else_is_served_is_described_too() -> None:
    assert {"/healthz", "/readyz", "/v1/models"} <= set(read_document()["paths"])


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_endpoint_says_that_it_takes_an_affinity_id(path: str) -> None:
    names = [parameter["name"] for parameter in read_document()["paths"][path]["post"]["parameters"]]
    assert "X-Model-Affinity" in names


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_what_is_described_is_left_to_the_hot_path(path: str) -> None:
    transport = httpx.ASGITransport(create_pages(build_config()))
    async with httpx.AsyncClient(transport=transport, base_url="http://router") as client:
        assert (await client.post(path, json={})).status_code == 404
