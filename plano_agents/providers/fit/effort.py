"""Reasoning effort in the model's own form: one of its efforts, a budget for thinking, or none.

OpenAI's chat wire says ``reasoning_effort``, its responses wire ``reasoning.effort``, Anthropic's
``output_config.effort`` and ``thinking``. An effort that the model lacks becomes the nearest below, else the nearest
above; ``none`` asks for no thinking wherever that can be said.
"""

from collections.abc import Sequence

from plano_agents.protocol.adjustment import Adjustment, clamped, dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, pack, read_text, split, split_list
from plano_agents.providers.fit.rules import Rules

SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All efforts, in ascending order."""

BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""How many tokens of thinking an effort is, where a budget is the form."""

LEAST_BUDGET = 1_024
"""The smallest budget that Anthropic takes: platform.claude.com, extended thinking."""

_EFFORT_BELOW = ((4_096, "low"), (16_384, "medium"))
_FORCED = ("any", "tool")


def choose_effort(asked: str, taken: Sequence[str]) -> str | None:
    """Choose the effort that comes nearest to what was asked.

    Args:
        asked: Of `SCALE`; anything else is the provider's to judge.
        taken: What the model takes.

    Returns:
        One of them; None where none says the same.
    """
    if asked in taken or asked not in SCALE:
        return asked
    if not taken:
        return None
    rank = SCALE.index(asked)
    below = [each for each in taken if each != "none" and SCALE.index(each) < rank]
    above = [each for each in taken if each != "none" and SCALE.index(each) > rank]
    if below:
        return max(below, key=SCALE.index)
    return min(above, key=SCALE.index) if above else None


def fit_effort(document: Document, rules: Rules) -> None:
    """Say the effort as the model takes it."""
    match rules.wire:
        case Form.OPENAI_CHAT:
            _fit_chat_effort(document, rules)
        case Form.OPENAI_RESPONSES:
            _fit_responses_effort(document, rules)
        case Form.ANTHROPIC_MESSAGES:
            _fit_messages_effort(document, rules)


def _fit_chat_effort(document: Document, rules: Rules) -> None:
    name = "reasoning_effort"
    asked = read_text(document.fields.get(name))
    if asked is None:
        return
    no_effort = rules.dialect.no_effort
    if asked == "none" and no_effort is not None:
        document.drop(name)
        for field, value in no_effort.items():
            document.write(field, value)
        document.tell(rewritten(name, f"sent as {', '.join(no_effort)}"))
        return
    if rules.profile.efforts is None:
        return
    chosen = choose_effort(asked, rules.profile.efforts)
    if chosen is None:
        document.drop(name)
        _tell_none(document, name, asked)
    elif chosen != asked:
        document.write(name, chosen)
        document.tell(_say(name, chosen, asked))


def _fit_responses_effort(document: Document, rules: Rules) -> None:
    if rules.profile.efforts is None or not document.has("reasoning"):
        return
    reasoning = split(document.fields["reasoning"])
    asked = read_text(reasoning.get("effort"))
    if asked is None:
        return
    chosen = choose_effort(asked, rules.profile.efforts)
    if chosen == asked:
        return
    document.write(
        "reasoning",
        {**{k: v for k, v in reasoning.items() if k != "effort"}, **({"effort": chosen} if chosen else {})},
    )
    if chosen is None:
        if len(reasoning) == 1:
            document.drop("reasoning")
        _tell_none(document, "reasoning", asked)
    else:
        document.tell(_say("reasoning", chosen, asked))


def _fit_messages_effort(document: Document, rules: Rules) -> None:
    profile = rules.profile
    if profile.thinking is not None and not profile.turn_efforts:
        _lift_turn_effort(document)
    config = split(document.fields["output_config"]) if document.has("output_config") else {}
    asked = read_text(config.get("effort"))
    effort = asked
    if asked is not None:
        effort = _choose_for_messages(asked, profile.efforts)
        if (
            effort is None
            and asked != "none"
            and profile.thinking in {"budget", "any"}
            and not document.has("thinking")
        ):
            _think(document, BUDGETS.get(asked, BUDGETS["high"]), "output_config")
        elif effort is None:
            _tell_none(document, "output_config", asked)
        elif effort != asked:
            document.tell(_say("output_config", effort, asked))
    effort = _fit_thinking(document, rules, effort)
    if effort != asked:
        config.pop("effort", None)
        full: dict[str, object] = {**config, **({"effort": effort} if effort is not None else {})}
        if full:
            document.write("output_config", full)
        else:
            document.drop("output_config")


def _lift_turn_effort(document: Document) -> None:
    """Make the effort that a system turn set last the request's own."""
    if not document.contains("messages", (b'"output_config"',)):
        return
    efforts: list[str] = []

    def lift(turns: list[Pieces]) -> list[Pieces] | None:
        fitted: list[Pieces] = []
        for turn in turns:
            if "output_config" not in turn:
                fitted.append(turn)
                continue
            efforts.append(read_text(split(turn["output_config"]).get("effort")) or "")
            if bytes(turn.get("content", b"")).strip() != b"[]":
                fitted.append({name: value for name, value in turn.items() if name != "output_config"})
        return fitted if efforts else None

    document.edit_list("messages", lift)
    last = next((effort for effort in reversed(efforts) if effort), None)
    if last is not None:
        config = split(document.fields["output_config"]) if document.has("output_config") else {}
        document.write("output_config", {**config, "effort": pack(last)})
        document.tell(rewritten("output_config", "of a turn sent as the request's"))


def _choose_for_messages(asked: str, taken: tuple[str, ...] | None) -> str | None:
    if taken is None:
        taken = tuple(each for each in SCALE if each not in {"none", "minimal"})
    return None if asked == "none" else choose_effort(asked, taken)


def _fit_thinking(document: Document, rules: Rules, effort: str | None) -> str | None:
    """Say Anthropic's ``thinking`` in a form that the model takes; give the effort that goes with it."""
    form = rules.profile.thinking
    thinking = document.read("thinking")
    if not isinstance(thinking, dict) or form is None:
        return effort
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if kind not in ("enabled", "adaptive"):
        if form == "none":
            document.drop("thinking")
        return effort
    if form == "none":
        document.drop("thinking")
        document.tell(dropped("thinking"))
    elif form == "adaptive" and kind == "enabled":
        document.write("thinking", {"type": "adaptive"})
        document.tell(rewritten("thinking", "sent as adaptive"))
        if effort is None and isinstance(budget, int):
            wanted = next((each for below, each in _EFFORT_BELOW if budget < below), "high")
            effort = choose_effort(wanted, rules.profile.efforts or ())
    elif form == "budget" and kind == "adaptive":
        _think(document, BUDGETS["high"], "thinking")
    elif kind == "enabled" and isinstance(budget, int):
        most = document.read("max_tokens")
        if isinstance(most, int) and budget >= most > LEAST_BUDGET:
            document.write("thinking", {**thinking, "budget_tokens": most - 1})
            document.tell(clamped("thinking", most - 1, budget))
    return effort


def _think(document: Document, budget: int, field: str) -> None:
    """Ask for thinking by a budget, where the rest of the request lets it be."""
    most = document.read("max_tokens")
    budget = min(budget, most // 2) if isinstance(most, int) else budget
    choice = document.read("tool_choice")
    forced = isinstance(choice, dict) and choice.get("type") in _FORCED
    if budget < LEAST_BUDGET or forced or _is_within_loop(document):
        document.drop("thinking")
        document.tell(dropped(field))
        return
    document.write("thinking", {"type": "enabled", "budget_tokens": budget})
    document.tell(rewritten(field, f"sent as a budget of {budget} tokens"))


def _is_within_loop(document: Document) -> bool:
    """Whether the last turn of the assistant called tools without thinking: then thinking cannot begin."""
    if not document.contains("messages", (b'"tool_use"',)):
        return False
    turns = [turn for turn in split_list(document.fields["messages"]) if read_text(turn.get("role")) == "assistant"]
    content = bytes(turns[-1].get("content", b"")) if turns else b""
    return b'"tool_use"' in content and b'"thinking"' not in content


def _say(field: str, chosen: str, asked: str) -> Adjustment:
    return Adjustment(field, "clamped", f"{field}: effort={chosen} (was {asked})", alters=True)


def _tell_none(document: Document, field: str, asked: str) -> None:
    """Tell that no effort is asked for; a model without any does as it was told where that was ``none``."""
    document.tell(dropped(field, alters=asked != "none"))
