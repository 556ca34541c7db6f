import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plano_agents.simulator.faults import Fault, Faults, parse_fault


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("status=503", Fault(status=503)),
        ("status=429;retry-after=2", Fault(status=429, retry_after=2)),
        (" status=429 ; times=3 ", Fault(status=429, times=3)),
        ("cut-after=200", Fault(cut_after=200)),
        ("stall-after=0", Fault(stall_after=0)),
        ("HANG", Fault(hang=True)),
        ("delay-ms=500", Fault(delay_ms=500)),
    ],
)
def test_a_fault_is_read(source: str, fault: Fault) -> None:
    assert parse_fault(source) == fault


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "Unknown fault ''; known are status=N,"),
        ("status=503;explode", "Unknown fault 'explode'; known are status=N,"),
        ("hang=1", "Unknown fault 'hang=1'"),
        ("status=200", "A fault's status is an error's, 400 to 599; got 200."),
    ],
)
def test_a_fault_that_is_not_known_is_named(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_fault(source)


@given(st.text())
def test_any_text_is_a_fault_or_a_value_error(source: str) -> None:
    with contextlib.suppress(ValueError):
        parse_fault(source)


def test_a_models_own_fault_outranks_that_of_all() -> None:
    faults = Faults({"*": Fault(status=500), "m": Fault(status=429)})
    assert [faults.take(model) for model in ("m", "n")] == [Fault(status=429), Fault(status=500)]


def test_a_fault_with_times_goes_away() -> None:
    faults = Faults({"m": Fault(status=500, times=2)})
    struck = [faults.take("m") is not None for _ in range(4)]
    assert struck == [True, True, False, False]


def test_a_dropped_fault_strikes_no_more() -> None:
    faults = Faults({"m": Fault(hang=True)})
    faults.drop("m")
    assert faults.take("m") is None
