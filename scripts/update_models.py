"""Refreshes the models' tables from a catalog of models.dev's shape: context windows, most output tokens, prices.

Run by ``scripts/update-models``. Only what models' own providers say counts, under the very ids of a row; of several
figures the largest window and limit. Everything else stays as it is. Prices that the catalog says otherwise
move to a list of their own, with its name and date.
"""

import json
import re
import sys
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

PROVIDERS = Path(__file__).parents[1] / "plano_agents" / "providers"
TABLE, PRICES_TABLE = PROVIDERS / "models.toml", PROVIDERS / "prices.toml"

OWN = (
    "openai",
    "anthropic",
    "google",
    "mistral",
    "deepseek",
    "xai",
    "moonshotai",
    "zai",
    "zhipuai",
    "alibaba",
)
"""The catalog's names of providers that make models."""

SOURCE = "models.dev"

PRICES = {"input": "input", "cached": "cache_read", "written": "cache_write", "output": "output"}
"""The keys of `prices.toml` to the catalog's, both in US dollars per million tokens."""

LIMITS = {"context_window": "context", "max_output_tokens": "output"}
"""The same of sizes, in tokens."""

_ROW = re.compile(r"^\[\[models\]\]\n(?:.+\n)+", re.MULTILINE)


def refresh(table: str, catalog: Mapping[str, Any], today: date) -> str:
    """Refresh a table.

    Args:
        table: TOML as in ``models.toml``.
        catalog: JSON as in models.dev's ``api.json``.
        today: When it was read.

    Returns:
        The table with the catalog's figures; a row that the catalog does not know, or says the same of, is untouched.
    """
    return _ROW.sub(lambda row: _refresh_row(row[0], catalog, today), table)


def _refresh_row(row: str, catalog: Mapping[str, Any], today: date) -> str:
    (values,) = tomllib.loads(row)["models"]
    found = list(_find(values["ids"], catalog))
    news: dict[str, float] = {}
    for key, name in LIMITS.items():
        sizes = [each["limit"][name] for each in found if each.get("limit", {}).get(name)]
        if sizes:
            news[key] = max(sizes)
    changed = {key: value for key, value in news.items() if values.get(key) != value}
    if not changed:
        return row
    for key, value in changed.items():
        row = _set(row, key, f"{value:_}" if isinstance(value, int) else str(value))
    if SOURCE not in values["source"]:
        row = _set(row, "source", json.dumps(f"{SOURCE}; {values['source']}"))
    return _set(row, "read", today.isoformat())


def refresh_prices(table: str, catalog: Mapping[str, Any], today: date) -> str:
    """Refresh a table of prices.

    Args:
        table: TOML as in ``prices.toml``.
        catalog: JSON as in models.dev's ``api.json``.
        today: When it was read.

    Returns:
        The table, with what the catalog says otherwise in a list of its own; without that, the same.
    """
    lists = tomllib.loads(table)["lists"]
    news: dict[str, dict[str, float]] = {}
    for model_id, price in ((model_id, price) for each in lists for model_id, price in each["prices"].items()):
        cost = next((each["cost"] for each in _find([model_id], catalog) if "cost" in each), {})
        said = {key: float(cost[name]) for key, name in PRICES.items() if name in cost}
        if {"input", "output"} <= said.keys() and said != price:
            news[model_id] = said
    if not news:
        return table
    rows = [
        f'"{model_id}" = {{ {", ".join(f"{key} = {value}" for key, value in price.items())} }}\n'
        for model_id, price in news.items()
    ]
    kept = "".join(line for line in table.splitlines(keepends=True) if line.partition(" = ")[0].strip('"') not in news)
    head = f'\n[[lists]]\nsource = "{SOURCE}"\nread = {today.isoformat()}\n\n[lists.prices]\n'
    return kept + head + "".join(rows)


def _find(ids: list[str], catalog: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for model_id in ids:
        for provider in OWN:
            models = catalog.get(provider, {}).get("models", {})
            if model_id in models:
                yield models[model_id]


def _set(row: str, key: str, value: str) -> str:
    """Set a key of a row; a new one stands before the source."""
    line = f"{key} = {value}\n"
    changed, count = re.subn(rf"^{key} = .*\n", lambda _: line, row, flags=re.MULTILINE)
    return changed if count else row.replace("source = ", f"{line}source = ", 1)


def main(place: str) -> None:
    """Refresh the tables that ship."""
    if place.startswith(("http://", "https://")):
        with urllib.request.urlopen(place, timeout=60) as answer:  # noqa: S310 - the operator's own address
            catalog = json.load(answer)
    else:
        catalog = json.loads(Path(place).read_text())
    today = datetime.now(UTC).date()
    TABLE.write_text(refresh(TABLE.read_text(), catalog, today))
    PRICES_TABLE.write_text(refresh_prices(PRICES_TABLE.read_text(), catalog, today))


if __name__ == "__main__":
    main(sys.argv[1])
