import msgspec
import pytest

from plano_agents.errors import RequestError, UnsupportedFieldError, UpstreamProtocolError
from plano_agents.protocol.decoding import decode_request, decode_upstream, refuse_unknown


class Inner(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="inner"):
    number: int = 0


class Other(msgspec.Struct, tag_field="type", tag="other"):
    pass


class Outer(msgspec.Struct):
    items: list[Inner | Other]


DECODER = msgspec.json.Decoder(Outer)


@pytest.mark.parametrize(
    ("body", "kind", "param"),
    [
        (b'{"items":[{"type":"inner","number":"x"}]}', RequestError, "items[0].number"),
        (b'{"items":[{"type":"inner","extra":1}]}', UnsupportedFieldError, "items[0].extra"),
        (b'{"items":[{"type":"other"},{"type":"new"}]}', UnsupportedFieldError, "items[1].type"),
        (b"{}", RequestError, None),
        (b"[" * 100_000, RequestError, None),
    ],
)
def test_a_clients_fault_is_told_by_the_field(body: bytes, kind: type, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        decode_request(DECODER, body)
    assert (type(caught.value), caught.value.param) == (kind, param)


@pytest.mark.parametrize("body", [b"{}", b"[", b"\xff", b'{"items":"\xff"}'])
def test_an_upstreams_fault_is_told_as_its_own(body: bytes) -> None:
    with pytest.raises(UpstreamProtocolError, match="not a thing"):
        decode_upstream(DECODER, body, "thing")


def test_a_field_with_a_value_that_asks_for_nothing_may_be_there() -> None:
    refuse_unknown(b'{"a":1,"n":1,"m":null}', known={"a"}, neutral={"n": (1,)}, target="x")


@pytest.mark.parametrize("body", [b'{"n":2}', b'{"n":[{}]}'])
def test_a_field_that_would_be_lost_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(UnsupportedFieldError) as caught:
        refuse_unknown(body, known=(), neutral={"n": (1,)}, target="x")
    assert caught.value.param == "n"
