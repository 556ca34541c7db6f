"""The registry against its page, ``docs/providers.md``."""

from pathlib import Path

from plano_agents.protocol.form import Form
from plano_agents.providers.registry import PROVIDERS, Provider

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"

WIRES = {Form.OPENAI_CHAT: "chat", Form.ANTHROPIC_MESSAGES: "messages", Form.OPENAI_RESPONSES: "responses"}


def write_row(row: Provider) -> str:
    address = f"`{row.origin}{row.prefix}`" if row.origin else f"yours, path `{row.prefix}` unless it has one"
    wires = ", ".join(WIRES[wire] for wire in row.wires)
    key = "`Authorization: Bearer`" if row.key_header == "authorization" else f"`{row.key_header}`"
    return f"| `{row.name}` | {address} | {wires} | {key} | {'needed' if row.origin is None else 'optional'} |"


def test_the_page_has_every_row_in_order() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows[: len(PROVIDERS)] == [write_row(row) for row in PROVIDERS.values()]


def test_rows_speak_at_least_one_wire_and_none_twice() -> None:
    assert all(row.wires and len(set(row.wires)) == len(row.wires) for row in PROVIDERS.values())
