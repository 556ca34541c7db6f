"""``X-Plano-Label``: taken where it fits a line, refused with a clear error where it does not."""

import json

import pytest

from plano_agents.observe.log import escape
from plano_agents.router.request.label import LABEL_HEADER
from plano_agents.router.request.surfaces import SURFACES, Endpoint, Surface
from plano_agents.router.request.trail import Trail
from plano_agents.router.watch.inspector.record import build_record
from plano_agents.router.watch.request_log import Columns, RequestLine
from tests.router.conftest import (
    MemoryResponse,
    MemoryUpstream,
    ask,
    build_config,
    build_model,
    build_pinning,
    build_service,
)
from tests.router.conversations import user, write
from tests.router.test_unsuitable import good_answer

ID = ("x-model-affinity", "run-1")


def encode(label: str) -> str:
    """The value as a server reads it from the wire."""
    return label.encode().decode("latin-1")


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.path)
async def test_a_label_is_in_the_log_and_in_the_inspector_and_not_sent_upstream(surface: Surface) -> None:
    trails: list[Trail] = []
    upstream, pinning = MemoryUpstream(good_answer(surface, streamed=False)), build_pinning()
    service = build_service(
        build_config(models=(build_model("openai/one"),)), upstream, pinning=pinning, observe=trails.append
    )
    label = "Nachtlauf 7: Größe " + "x" * 61
    seen = await ask(service, write(surface, user("Hi")), ID, (LABEL_HEADER, encode(label)), endpoint=Endpoint(surface))
    assert seen.status == 200
    (trail,) = trails
    assert RequestLine(trail, Columns(model=1, route=1)).fields()["label"] == label
    assert f"label={escape(label)}" in RequestLine(trail, Columns(model=1, route=1)).render(lambda text, _style: text)
    assert build_record(trail, None).label == label
    assert label not in json.dumps(seen.headers)
    sent = upstream.requests[0]
    assert not any("label" in name.lower() for name, _ in dict(sent.headers).items())
    assert "Nachtlauf" not in sent.body.decode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "0 characters"),
        ("x" * 81, "81 characters"),
        (encode("ä" * 81), "81 characters"),
        (encode("a\u200bb"), "'\\u200b'"),
        ("a\x1bb", "'\\x1b'"),
        ("a\tb", "'\\t'"),
    ],
)
async def test_a_label_that_fits_no_line_is_refused(value: str, said: str) -> None:
    service = build_service(build_config(models=(build_model("openai/one"),)), MemoryUpstream(MemoryResponse()))
    seen = await ask(service, write(SURFACES[0], user("Hi")), ID, (LABEL_HEADER, value))
    assert (seen.status, seen.error["param"]) == (400, LABEL_HEADER)
    assert said in seen.error["message"]


async def test_a_label_that_is_sent_twice_is_refused() -> None:
    service = build_service(build_config(models=(build_model("openai/one"),)), MemoryUpstream(MemoryResponse()))
    seen = await ask(service, write(SURFACES[0], user("Hi")), ID, (LABEL_HEADER, "a"), (LABEL_HEADER, "b"))
    assert seen.status == 400
