"""The models' profiles, what each takes and costs: tables that ship with the package, and the settings above them.

`models.toml` holds a row per family. A row holds for an id and for all that continue it after a hyphen, a colon or an
at sign: ``gpt-4o`` for ``gpt-4o-2024-08-06``, not for ``gpt-4o2`` or ``gpt-4o.5``; the longest id wins. The provider
does not matter, nor does a vendor's path before the id (``meta-llama/``). What is not known is assumed to be possible,
and of two figures the larger one stands there: a wrong "cannot" would move a run to another model for nothing, while
a wrong "can" is put right by the provider's own answer. The table is read when it is first asked.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from plano_agents.config.model import WILDCARD, Model, ModelProfile
from plano_agents.providers.list_prices import load_prices

TABLE = "models.toml"
"""The table's file, in this package."""

T = TypeVar("T")

_FIELDS = frozenset(each.name for each in fields(ModelProfile) if not each.name.endswith("_price"))
_UNKNOWN = ModelProfile()


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One row of the table."""

    ids: tuple[str, ...]
    """What the models are called; see the module."""
    profile: ModelProfile
    """What they take."""
    source: str
    """The pages that say so."""
    read: date
    """When they were read."""
    not_read: str = ""
    """The provider's pages that should say so too, and were not read."""


def parse_rows(text: str) -> tuple[ModelRow, ...]:
    """Read a table.

    Args:
        text: TOML as in `models.toml`.

    Returns:
        Its rows, in order.

    Raises:
        ValueError: It is no such table: a key is unknown, or a value has the wrong type.
    """
    return tuple(_parse_row(row) for row in tomllib.loads(text)["models"])


def _parse_row(row: dict[str, Any]) -> ModelRow:
    unknown = row.keys() - _FIELDS - {"ids", "source", "read", "not_read"}
    if unknown:
        raise ValueError(f"the row of {row.get('ids')!r} has the unknown keys {sorted(unknown)!r}")
    known = {name: value for name, value in row.items() if name in _FIELDS}
    profile = msgspec.convert(known, ModelProfile)
    return ModelRow(tuple(row["ids"]), profile, row["source"], row["read"], row.get("not_read", ""))


@cache
def load_known() -> Mapping[str, ModelProfile]:
    """Load the table that ships with the package, by id; the file is read once."""
    text = resources.files(__package__).joinpath(TABLE).read_text(encoding="utf-8")
    return MappingProxyType({model_id: row.profile for row in parse_rows(text) for model_id in row.ids})


def find_profile(model: Model, settings: Mapping[str, ModelProfile]) -> ModelProfile:
    """Find what a model can take.

    Args:
        model: A configured model, or one of a wildcard's.
        settings: What the operator says, by provider-qualified name or wildcard.

    Returns:
        Each field from the model's own setting, else its wildcard's, else the table.
    """
    profile = find_known(model.model_id)
    for name in (f"{model.provider}/{WILDCARD}", model.name):
        said = settings.get(name)
        if said is not None:
            profile = replace(profile, **{field: value for field, value in asdict(said).items() if value is not None})
    return profile


def find_known(model_id: str) -> ModelProfile:
    """Find what the tables say of a model, its list prices among it, by what its provider calls it."""
    profile = _find_by_beginning(load_known(), model_id) or _UNKNOWN
    price = _find_by_beginning(load_prices(), model_id)
    if price is None:
        return profile
    return replace(
        profile,
        input_price=price.input,
        cached_price=price.cached,
        written_price=price.written,
        output_price=price.output,
    )


def _find_by_beginning(table: Mapping[str, T], model_id: str) -> T | None:
    """Find the entry of the longest id that a model's continues."""
    name = model_id.rpartition("/")[2].lower().removeprefix("meta-")
    ends = [len(name), *(at for at in range(len(name) - 1, 0, -1) if name[at] in "-:@")]
    return next((table[name[:end]] for end in ends if name[:end] in table), None)
