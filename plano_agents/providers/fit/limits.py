"""Limits and values: tokens, sampling and stop sequences within what the model and its provider take."""

from plano_agents.protocol.adjustment import Adjustment, clamped, dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document
from plano_agents.providers.fit.rules import Rules

DEFAULT_MAX_TOKENS = 8192
"""Tokens asked for where the wire needs a limit and nothing is known of the model."""

LEAST_BYTES_PER_TOKEN = 2
"""How many bytes of a request a token is at least, in most texts."""

LIMIT_FIELDS = {
    Form.OPENAI_CHAT: ("max_completion_tokens", "max_tokens"),
    Form.ANTHROPIC_MESSAGES: ("max_tokens",),
    Form.OPENAI_RESPONSES: ("max_output_tokens",),
}
"""How each wire spells the limit of tokens; the first counts where both are there."""

STOP_FIELDS = {Form.OPENAI_CHAT: "stop", Form.ANTHROPIC_MESSAGES: "stop_sequences"}
"""How each wire spells the stop sequences."""

_THINKING_TOP_P = 0.95
"""The lowest top_p beside thinking: platform.claude.com, extended thinking."""


def fit_token_limit(document: Document, rules: Rules) -> None:
    """Bring the limit of tokens into the target's range, in its spelling, and add one where it is required."""
    names = LIMIT_FIELDS[rules.wire]
    name = next((each for each in names if document.has(each)), None)
    most = rules.profile.max_output_tokens
    if name is None:
        if rules.dialect.needs_limit:
            document.write("max_tokens", _choose_limit(document, rules))
        return
    wanted = rules.profile.token_limit_field or rules.dialect.limit_field
    value = document.read(name)
    spelling = wanted if wanted is not None and rules.wire is Form.OPENAI_CHAT else name
    if most is not None and isinstance(value, int) and value > most:
        document.tell(clamped(spelling, most, value))
        document.write(name, most)
    least = rules.dialect.least_limit
    if least is not None and isinstance(value, int) and value < least:
        document.tell(clamped(spelling, least, value))
        document.write(name, least)
    if spelling != name or sum(map(document.has, names)) > 1:
        raw = document.fields[name]
        for each in names:
            document.drop(each)
        document.fields[spelling] = raw
        if not document.is_translated:
            document.tell(rewritten(name, f"sent as {spelling}"))


def _choose_limit(document: Document, rules: Rules) -> int:
    """Choose the model's own limit, less where the input may leave no room for it."""
    most, window = rules.profile.max_output_tokens, rules.profile.context_window
    if most is None:
        thinking = document.read("thinking")
        budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
        return DEFAULT_MAX_TOKENS + (budget if isinstance(budget, int) else 0)
    if window is None:
        return most
    size = sum(len(bytes(raw)) for raw in document.fields.values())
    return min(most, max(DEFAULT_MAX_TOKENS, window - size // LEAST_BYTES_PER_TOKEN))


def fit_sampling(document: Document, rules: Rules) -> None:
    """Bring the temperature into range, and leave out what the model's sampling does not take."""
    most = rules.dialect.max_temperature
    temperature = document.read("temperature")
    if most is not None and isinstance(temperature, int | float) and temperature > most:
        document.tell(clamped("temperature", most, temperature))
        document.write("temperature", most)
    match rules.profile.sampling:
        case "default":
            names = ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty", "logit_bias")
            _drop_unless(document, names, (1, 1.0) if rules.wire is not Form.ANTHROPIC_MESSAGES else ())
        case "one" if document.has("temperature") and document.has("top_p"):
            document.drop("top_p")
            document.tell(dropped("top_p"))


def fit_sampling_beside_thinking(document: Document, rules: Rules) -> None:
    """Leave out the sampling that Anthropic's thinking does not take."""
    if rules.wire is not Form.ANTHROPIC_MESSAGES or not document.has("thinking"):
        return
    thinking = document.read("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") not in ("enabled", "adaptive"):
        return
    _drop_unless(document, ("temperature",), (1, 1.0))
    _drop_unless(document, ("top_k",), ())
    top_p = document.read("top_p")
    if isinstance(top_p, int | float) and top_p < _THINKING_TOP_P:
        document.drop("top_p")
        document.tell(dropped("top_p"))


def _drop_unless(document: Document, names: tuple[str, ...], harmless: tuple[object, ...]) -> None:
    for name in names:
        value = document.read(name)
        asks_nothing = value in (None, {}) or (name.endswith("penalty") and value == 0)
        if value is None or (value in harmless and not name.endswith("penalty")):
            continue
        document.drop(name)
        if not asks_nothing:
            document.tell(dropped(name))


def fit_stops(document: Document, rules: Rules) -> None:
    """Keep the stop sequences that the target takes, as many as it takes."""
    name = STOP_FIELDS.get(rules.wire)
    if name is None or not document.has(name):
        return
    given = document.read(name)
    stops = [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        return
    kept = stops if rules.dialect.blank_stops else [stop for stop in stops if stop.strip()]
    most = rules.dialect.max_stops if rules.profile.stop_sequences is None else rules.profile.stop_sequences
    if most is not None:
        kept = kept[:most]
    if kept == stops:
        return
    if kept:
        document.write(name, kept)
        document.tell(Adjustment(name, "clamped", f"{name}: {len(kept)} of {len(stops)}", alters=True))
    else:
        document.drop(name)
        if stops:
            document.tell(dropped(name))
