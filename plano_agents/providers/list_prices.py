"""The list prices of models, a table that ships with the package: `prices.toml`, which says how it is read.

It is told from `models.toml`, for models of one family take the same and cost differently: ``gpt-4o-mini`` takes what
``gpt-4o`` does, at a sixteenth of its price. The table is read when it is first asked.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from types import MappingProxyType

import msgspec

TABLE = "prices.toml"
"""The table's file, in this package."""


class ListPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The list prices of a model, in US dollars per million tokens."""

    input: float
    """Of input."""
    output: float
    """Of output."""
    cached: float | None = None
    """Of input that is read from the cache; None where that is not known."""
    written: float | None = None
    """Of input that is written to the cache; None where that costs no more than other input."""


class PriceList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A list of prices that were read in one place."""

    source: str
    """Where they were read."""
    read: date
    """When."""
    prices: dict[str, ListPrice]
    """The prices by the models' ids, each for all that continue it too."""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lists: list[PriceList]


def parse_lists(text: str) -> tuple[PriceList, ...]:
    """Read a table.

    Args:
        text: TOML as in `prices.toml`.

    Raises:
        msgspec.ValidationError: It is no such table.
    """
    return tuple(msgspec.convert(tomllib.loads(text), _Table).lists)


@cache
def load_prices() -> Mapping[str, ListPrice]:
    """Load the table that ships with the package, by id; the file is read once."""
    text = resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    return MappingProxyType({model_id: price for each in parse_lists(text) for model_id, price in each.prices.items()})
