"""Names of keys in Redis, and cursors: what is written is read again, and anything else is refused."""

from dataclasses import dataclass, replace
from typing import Literal, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.errors import InvalidCursorError
from plano_agents.sessions.pin import SessionKey, SwitchReason
from plano_agents.sessions.redis_encoding import (
    Cursor,
    decode_key,
    decode_maker,
    decode_pin,
    encode_cursor,
    encode_key,
    encode_pin,
    encode_response_key,
    milliseconds,
    parse_cursor,
    read_time,
)
from plano_agents.sessions.response_ids import ResponseKey
from tests.sessions.conftest import CLAUDE, build_pin

keys = st.builds(SessionKey, st.text(), st.text(st.characters(min_codepoint=32, max_codepoint=126)))


@given(keys)
def test_a_key_is_read_as_it_was_written(key: SessionKey) -> None:
    assert decode_key(encode_key(key)) == key


@given(keys, keys)
def test_different_sessions_have_different_keys(first: SessionKey, second: SessionKey) -> None:
    assert (encode_key(first) == encode_key(second)) == (first == second)


@given(keys, keys)
def test_no_two_responses_share_a_key_and_none_is_listed_as_a_session(first: SessionKey, second: SessionKey) -> None:
    names = [encode_response_key(ResponseKey(*key)) for key in (first, second)]
    assert (names[0] == names[1]) == (first == second)
    assert not names[0].startswith(b"plano:affinity:")


@given(st.binary())
def test_any_name_is_read_or_refused(name: bytes) -> None:
    key = decode_key(b"plano:affinity:" + name)
    assert key is None or encode_key(key).removeprefix(b"plano:affinity:").lstrip(b"0") == name.lstrip(b"0")


@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.binary())))
def test_any_value_is_read_or_counts_as_none(value: object) -> None:
    assert decode_pin(value) is None  # type: ignore[arg-type] # whatever Redis says
    assert decode_maker(value) is None  # type: ignore[arg-type] # whatever Redis says


@given(st.builds(Cursor, *[st.integers(0, 2**64 - 1)] * 3))
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert parse_cursor(encode_cursor(cursor)) == cursor


def test_a_cursor_of_one_server_is_written_as_the_release_before_reads_it() -> None:
    assert encode_cursor(Cursor(7, 3)) == "7.3"


@pytest.mark.parametrize(
    "cursor", ["", ".", "1", "1.", ".1", "1.2.3.4", "1.2.", f"{2**64}.0", "1" * 5_000 + ".0", "٣.0"]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        parse_cursor(cursor)


@pytest.mark.parametrize(("seconds", "expected"), [(600, 600_000), (0.0001, 1), (1.5, 1_500)])
def test_a_time_is_whole_and_never_nothing(seconds: float, expected: int) -> None:
    assert milliseconds(seconds) == expected


@pytest.mark.parametrize("at", [-1, 1e300, 253_402_300_800])
def test_a_pin_of_a_time_that_no_calendar_has_counts_as_none(at: float) -> None:
    assert decode_pin(msgspec.json.encode(replace(build_pin(), pinned_at=at))) is None
    assert decode_pin(msgspec.json.encode(build_pin().move("m/n", None, "unsuitable", at))) is None


@pytest.mark.parametrize("text", ["nan", "inf", "1e300", "-1", "soon"])
def test_a_time_of_last_use_that_no_calendar_has_is_not_known(text: str) -> None:
    assert read_time({"last_used": text}) is None


def test_a_pin_of_the_release_before_is_read() -> None:
    value = (
        b'{"model":"anthropic/claude","route":"r","reason":"first_turn","pinned_at":1700000000.5,"lineage":"1","moves":1,'
        b'"switches":[{"at":1.0,"from_model":"openai/gpt-4o","to_model":"anthropic/claude","reason":"unsuitable"}]}'
    )
    assert decode_pin(value) == build_pin().move(CLAUDE, "r", "unsuitable", 1.0)


def test_a_pin_is_read_with_what_made_it_move() -> None:
    pin = build_pin().move(CLAUDE, "r", "unsuitable", 1.0, "images")
    assert decode_pin(encode_pin(pin)) == pin


@dataclass(frozen=True, slots=True)
class SwitchBefore:
    """A switch as the release before reads it."""

    at: float
    from_model: str
    to_model: str
    reason: Literal["model_removed", "upstream_failed", "unsuitable"]
    because: str | None = None


@dataclass(frozen=True, slots=True)
class PinBefore:
    """A pin as the release before reads it."""

    model: str
    route: str | None
    reason: Literal["first_turn", "hint"]
    pinned_at: float
    lineage: str
    moves: int = 0
    switches: tuple[SwitchBefore, ...] = ()


steps = st.lists(st.sampled_from(["unsuitable", "upstream_failed", "model_removed", "user_turn", "keep"]), max_size=40)


@given(steps)
def test_a_pin_is_read_as_it_was_written_and_by_the_release_before_too(taken: list[str]) -> None:
    pin = build_pin()
    for number, step in enumerate(taken):
        if step == "keep":
            pin = pin.keep("r", f"turn {number}")
        else:
            pin = pin.move(f"m/{number}", "r", cast("SwitchReason", step), float(number))
    written = encode_pin(pin)
    assert decode_pin(written) == pin
    before = msgspec.json.decode(written, type=PinBefore)
    assert msgspec.json.decode(written)["moves"] == pin.moves, "it is compared where the pin is moved"
    assert (before.model, before.lineage, before.moves) == (pin.model, pin.lineage, pin.moves)
    assert [each.at for each in before.switches] == [s.at for s in pin.switches if s.reason != "user_turn"]


def test_a_switch_for_a_reason_of_a_later_release_is_read() -> None:
    pin = decode_pin(encode_pin(build_pin().move(CLAUDE, "r", "unsuitable", 1.0)).replace(b'"unsuitable"', b'"moon"'))
    assert pin is not None
    assert [each.reason for each in pin.switches] == ["moon"]


@pytest.mark.parametrize("name", ["all_switches", '"all_switches":[]'])
def test_a_pin_keeps_its_switches_whatever_its_preference_is_called(name: str) -> None:
    pin = build_pin().move("m/n", name, "unsuitable", 1.0)
    assert decode_pin(encode_pin(pin)) == pin
