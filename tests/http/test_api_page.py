"""The page of an API: all that the document says, and nothing from another host."""

import re
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from plano_agents.http.api_page import add_api_page, build_api_sections, render_api_page


class Order(BaseModel):
    """An order."""

    item: str = Field(min_length=1, description="Its `name` & <size>.")
    count: int | None = Field(default=1, description="How many.")


def build_app() -> FastAPI:
    app = FastAPI(title="shop <1>", docs_url=None, redoc_url=None)
    add_api_page(app)

    @app.post("/orders/{order_id}", summary="Orders something")
    async def order(order_id: str, order: Order) -> Order:
        raise NotImplementedError

    return app


@pytest.fixture
async def page() -> str:
    transport = httpx2.ASGITransport(build_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
        answer = await client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


async def test_an_apps_page_names_its_operations_and_fields(page: str) -> None:
    assert "POST /orders/{order_id}" in page
    assert "Its <code>name</code> &amp; &lt;size&gt;." in page
    assert "integer or null (default <code>1</code>)" in page


async def test_the_page_loads_nothing(page: str) -> None:
    assert re.findall(r"<(?:script|link|img|iframe)|url\(|@import|https?://", page) == []


async def test_a_title_is_text_not_markup(page: str) -> None:
    assert "shop &lt;1&gt;" in page


async def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    anchors = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links
    assert links <= anchors


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"enum": ["none", "retain"]}, "<code>&quot;none&quot;</code>, <code>&quot;retain&quot;</code>"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"const": "error"}, "<code>&quot;error&quot;</code>"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of integer by name"),
        ({"type": "string", "pattern": "^a$"}, "string (matching <code>^a$</code>)"),
    ],
)
def test_a_types_name_says_what_it_takes(schema: dict[str, Any], told: str) -> None:
    document = {"paths": {}, "components": {"schemas": {"S": schema}}}
    assert build_api_sections(document)[0].body == f"<p>{told}</p>"


def test_of_two_schemas_of_a_name_each_has_its_own_anchor() -> None:
    schemas = {f"{module}__Part": {"type": "object"} for module in ("a", "b")}
    sections = build_api_sections({"paths": {}, "components": {"schemas": schemas}})
    assert [each.title for each in sections] == ["Part", "Part"]
    assert len({each.anchor for each in sections}) == 2


def test_a_whole_page_is_one_document() -> None:
    page = render_api_page(build_app().openapi())
    assert page.startswith("<!doctype html>")
    assert page.count("<h1>") == 1
