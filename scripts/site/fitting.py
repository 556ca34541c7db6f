"""Writes the tables of ``docs/providers.md``: what providers and models take, as requests are fitted to it.

Run as ``python -m scripts.site.fitting``; a test fails while the page is not what this writes.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from plano_agents.providers.cache_keys import CACHE_KEYS, CacheKeyPlace
from plano_agents.providers.dialects import ANY_ID, COMPATIBLE, DIALECTS, Dialect
from plano_agents.providers.list_prices import ListPrice, PriceList, parse_lists
from plano_agents.providers.profiles import ModelRow, parse_rows

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def write_page() -> None:
    """Bring the page up to date."""
    PAGE.write_text(render_page(PAGE.read_text()))


def render_page(text: str) -> str:
    """Put the tables between their marks.

    Args:
        text: The page as it is.

    Returns:
        The page as it is to be.
    """
    tables = {
        "dialects": render_dialects(),
        "models": render_models(),
        "prices": render_prices(),
        "cache keys": render_cache_keys(),
    }
    for name, table in tables.items():
        start, end = f"<!-- fitting: {name} -->", f"<!-- /fitting: {name} -->"
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = "\n".join([f"{before}{start}", *table, f"{end}{after}"])
    return text


def render_dialects() -> list[str]:
    """Write a row per provider with a dialect."""
    names = {**DIALECTS, "any other": COMPATIBLE}
    head = [
        "| provider | fields | call ids | tool names | users | temperature | stops | more |",
        "|---" * 8 + "|",
    ]
    return [*head, *(_render_dialect(name, dialect) for name, dialect in names.items())]


def _render_dialect(name: str, dialect: Dialect) -> str:
    others = "not those of others" if dialect.refused else ""
    fields = "its own alone" if dialect.fields is not None else others
    rule = dialect.call_ids
    ids = "" if rule is ANY_ID else f"`{rule.pattern.pattern}`{', once each' if rule.unique else ''}"
    cells = [
        f"`{name}`" if name in DIALECTS else name,
        fields,
        ids,
        _say_most(dialect.name_length),
        _say_most(dialect.user_length),
        _say_most(dialect.max_temperature),
        ", ".join(filter(None, (_say_most(dialect.max_stops), "" if dialect.blank_stops else "no white space"))),
        "; ".join(_say_more(dialect)),
    ]
    return f"| {' | '.join(cells)} |"


def _say_most(value: float | None) -> str:
    return "" if value is None else f"≤ {value:g}"


def _list_names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _say_more(dialect: Dialect) -> Iterable[str]:
    more = {
        f"`{dialect.limit_field}`": dialect.limit_field is not None,
        "a limit of tokens is needed": dialect.needs_limit,
        "no developer messages": dialect.roles is not None,
        "system messages at the beginning": dialect.system_first,
        "no custom tools": not dialect.custom_tools,
        "no empty turns": dialect.empty_turns == "none",
        "a last assistant's message is a `prefix`": dialect.marks_prefill,
        "no choice without tools": dialect.choice_needs_tools,
        "no user's message right after a tool's": not dialect.user_after_tool,
        "the user begins": dialect.user_first,
        "no blank text": not dialect.blank_text,
        "tools' schemas are plain objects": dialect.tool_schemas != "any",
        "no `cache_control`": not dialect.cache_marks,
        f"no {_list_names(dialect.refused_message_fields)} in messages": bool(dialect.refused_message_fields),
        "answers' schemas are closed, without bounds": dialect.answer_schemas == "closed",
        "strict schemas require every property": dialect.answer_schemas == "strict",
        "no `stream_options`": not dialect.include_usage,
        "no `reasoning_content`": dialect.reasoning_content is False,
        "`reasoning_content` with every call": dialect.reasoning_placeholder is not None,
    }
    return (words for words, holds in more.items() if holds)


def render_cache_keys() -> list[str]:
    """Write a row per host that takes a session's key."""
    head = ["| host | the session's key stands in | source |", "|---" * 3 + "|"]
    return [*head, *(f"| `{host}` | {_say_place(place)} | {place.source} |" for host, place in CACHE_KEYS.items())]


def _say_place(place: CacheKeyPlace) -> str:
    """Say where the key stands, on which wires where they differ."""
    by_name: dict[str, list[str]] = {}
    for wire, name in [*place.fields.items(), *place.headers.items()]:
        what = f"the header `{name}`" if name in place.headers.values() else f"`{name}`"
        by_name.setdefault(what, []).append(wire.value.rpartition("_")[2])
    if len(by_name) == 1:
        return next(iter(by_name))
    return ", ".join(f"{what} ({' and '.join(wires)})" for what, wires in by_name.items())


def render_models() -> list[str]:
    """Write a row per family of models."""
    text = resources.files("plano_agents.providers").joinpath("models.toml").read_text(encoding="utf-8")
    head = [
        "| models | context | output | efforts | on responses | thinking | sampling | stops | read |",
        "|---" * 9 + "|",
    ]
    return [*head, *map(_render_model, parse_rows(text))]


def _render_model(row: ModelRow) -> str:
    profile = row.profile
    cells = [
        ", ".join(f"`{each}`" for each in row.ids),
        _say_count(profile.context_window),
        _say_count(profile.max_output_tokens),
        "" if profile.efforts is None else ", ".join(profile.efforts) or "none",
        (profile.responses_for or "").replace("_", " "),
        profile.thinking or "",
        profile.sampling or "",
        "" if profile.stop_sequences is None else str(profile.stop_sequences or "none"),
        f"{row.read}{'*' if row.not_read else ''}",
    ]
    return f"| {' | '.join(cells)} |"


def render_prices() -> list[str]:
    """Write a row per model with a list price of its own."""
    text = resources.files("plano_agents.providers").joinpath("prices.toml").read_text(encoding="utf-8")
    head = ["| models | input | cached | written | output | source | read |", "|---" * 7 + "|"]
    return [*head, *(row for each in parse_lists(text) for row in _render_list(each))]


def _render_list(prices: PriceList) -> Iterable[str]:
    """Write a list's rows, models of one price together."""
    by_price: dict[ListPrice, list[str]] = {}
    for model_id, price in prices.prices.items():
        by_price.setdefault(price, []).append(model_id)
    for price, ids in by_price.items():
        figures = (price.input, price.cached, price.written, price.output)
        cells = [_list_names(ids), *("" if figure is None else f"{figure:g}" for figure in figures)]
        yield f"| {' | '.join([*cells, prices.source.partition(',')[0], str(prices.read)])} |"


def _say_count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


if __name__ == "__main__":
    write_page()
