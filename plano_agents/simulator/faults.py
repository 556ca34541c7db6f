"""Faults on demand: what goes wrong, how it is written, and for which requests.

A fault is one or more of these, joined by ``;``::

    status=503         answer with this error
    retry-after=2      with this header, in seconds
    delay-ms=500       wait before anything else
    cut-after=200      break the connection off after so many bytes of the body
    stall-after=200    send so many bytes of the body, and nothing more
    hang               never answer
    times=1            only so often; then the fault is gone (not in a header)

``X-Simulate-Fault`` on a request outranks the fault of its model, which outranks that of all models (``*``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

FAULT_HEADER = "x-simulate-fault"
"""The request header that asks for a fault."""
ALL_MODELS = "*"
"""The key of a fault for every model."""

_PART = re.compile(r"(status|retry-after|delay-ms|cut-after|stall-after|times)=(\d{1,9})|hang")
_GRAMMAR = "status=N, retry-after=N, delay-ms=N, cut-after=N, stall-after=N, times=N and hang, joined by ';'"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to simulate."""

    status: int | None = None
    """The error's HTTP status, 400 to 599."""
    retry_after: int | None = None
    """The ``retry-after`` header, in seconds."""
    delay_ms: int = 0
    """The wait before anything else, in milliseconds."""
    cut_after: int | None = None
    """After how many bytes of the body the connection breaks."""
    stall_after: int | None = None
    """After how many bytes of the body nothing more comes."""
    hang: bool = False
    """True if no answer ever comes."""
    times: int | None = None
    """How many requests it strikes; None means all."""


def parse_fault(source: str) -> Fault:
    """Read a fault as this module's docstring writes it.

    Raises:
        ValueError: It is written differently; says what was found and what is known.
    """
    numbers: dict[str, int] = {}
    hang = False
    for part in source.split(";"):
        found = _PART.fullmatch(part.strip().lower())
        if found is None:
            raise ValueError(f"Unknown fault {part.strip()!r}; known are {_GRAMMAR}.")
        name, value = found.group(1), found.group(2)
        if name is None:
            hang = True
        else:
            numbers[name.replace("-", "_")] = int(value)
    fault = Fault(hang=hang, **numbers)
    if fault.status is not None and not 400 <= fault.status <= 599:  # noqa: PLR2004 - HTTP's errors
        raise ValueError(f"A fault's status is an error's, 400 to 599; got {fault.status!r}.")
    return fault


class Faults:
    """The faults that models are given; changed while running, to test how clients recover.

    Args:
        initial: Fault by model name, ``*`` for all.
    """

    def __init__(self, initial: Mapping[str, Fault] | None = None) -> None:
        self._by_model = dict(initial or {})

    def put(self, model: str, fault: Fault) -> None:
        """Give a model a fault."""
        self._by_model[model] = fault

    def drop(self, model: str) -> None:
        """Make a model work again."""
        self._by_model.pop(model, None)

    def take(self, model: str) -> Fault | None:
        """The fault that strikes this request, if any; counts it."""
        key = model if model in self._by_model else ALL_MODELS
        fault = self._by_model.get(key)
        if fault is None or fault.times is None:
            return fault
        if fault.times <= 1:
            self.drop(key)
        else:
            self.put(key, replace(fault, times=fault.times - 1))
        return fault if fault.times else None
