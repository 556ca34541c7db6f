"""Writes the tables of ``docs/translation.md`` that the code holds: what becomes of each field, and of each end.

Run as ``python -m scripts.site.translation``; a test fails while the page is not what this writes.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from plano_agents.protocol.openai_completion import FINISH_REASONS, read_finish_reason
from plano_agents.protocol.translation import (
    chat_request_to_messages,
    messages_request_to_chat,
    responses_request_to_chat,
)
from plano_agents.providers.fit.fields import NEVER_DROPPED
from plano_agents.providers.fit.limits import DEFAULT_MAX_TOKENS

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"

SURFACES = {
    "chat": chat_request_to_messages,
    "messages": messages_request_to_chat,
    "responses": responses_request_to_chat,
}
"""The readers of each surface's requests, with the fields that each knows."""

ENDS = (
    *("stop", "length", "tool_calls", "content_filter", "function_call", "end_turn", "stop_sequence", "tool_use"),
    *("max_tokens", "model_context_window_exceeded", "pause_turn", "refusal", "abort", "eos", "model_length"),
    *("insufficient_system_resource", "safety", "recitation", "prohibited_content", "spii", "sensitive"),
)
"""Words for why an answer ended, of OpenAI and of others."""


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
    for name, table in (("fields", render_fields()), ("ends", render_ends())):
        start, end = f"<!-- translation: {name} -->", f"<!-- /translation: {name} -->"
        before, _, rest = text.partition(start)
        after = rest.partition(end)[2]
        text = "\n".join([f"{before}{start}", *table, f"{end}{after}"])
    return text


def render_fields() -> list[str]:
    """Write what becomes of each surface's top-level fields."""
    rows = ["| surface | carried | left out, and told | 400, but for these values |", "|---" * 4 + "|"]
    for surface, reader in SURFACES.items():
        carried = reader.KNOWN - {"routing_preferences"}
        neutral = {name: values for name, values in reader.NEUTRAL.items() if name not in reader.DROPPABLE}
        cells = (surface, _list(carried), _list(reader.DROPPABLE - carried), _list_values(neutral))
        rows.append(f"| {' | '.join(cells)} |")
    return [
        *rows,
        "",
        f"Any other field is a 400. Never left out for a provider that lacks them: {_list(NEVER_DROPPED)}. Where the",
        f"wire needs a limit of tokens and nothing is known of the model, it is {DEFAULT_MAX_TOKENS:,}.",
    ]


def render_ends() -> list[str]:
    """Write what each provider's word for an answer's end is read as."""
    found: dict[str, list[str]] = {}
    for word in ENDS:
        found.setdefault(read_finish_reason(word, calls=False), []).append(word)
    rows = ["| read as | the provider's word, in upper case too |", "|---|---|"]
    rows += [f"| `{reason}` | {_list(words)} |" for reason, words in found.items() if reason in FINISH_REASONS]
    return rows


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _list_values(neutral: Mapping[str, Collection[object]]) -> str:
    """List fields with the values that ask for nothing."""
    return "; ".join(
        f"`{name}`" + "".join(f" `{msgspec.json.encode(value).decode()}`" for value in values)
        for name, values in sorted(neutral.items())
    )


if __name__ == "__main__":
    write_page()
