"""Effort and thinking on Anthropic's wire: ``output_config.effort``, ``thinking``, and efforts of turns.

Where the model has no effort, one becomes a budget for thinking; a budget becomes adaptive thinking where the model
takes no other. Thinking is turned off, and shown, as far as the model lets it be.
"""

from plano_agents.config.model import ModelProfile
from plano_agents.protocol.adjustment import Adjustment, clamped, dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, Pieces, is_list, pack, read_text, split, split_list
from plano_agents.providers.fit.effort import SCALE, choose_effort, say_effort, tell_none
from plano_agents.providers.fit.rules import Rules

BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 32_768}
"""How many tokens of thinking an effort is, where a budget is the form."""

LEAST_BUDGET = 1_024
"""The smallest budget that Anthropic takes: platform.claude.com, extended thinking."""

_EFFORT_BELOW = ((4_096, "low"), (16_384, "medium"))
_FORCED = ("any", "tool")
_CLEARS_THINKING = "clear_thinking_"
_OFF = ("disabled", "between_tools")


def fit_thinking(document: Document, rules: Rules) -> None:
    """Say effort and thinking as the model takes them."""
    if rules.wire is not Form.ANTHROPIC_MESSAGES:
        return
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
            tell_none(document, "output_config", asked)
        elif effort != asked:
            document.tell(say_effort("output_config", effort, asked))
    effort = _fit_thinking(document, rules, effort)
    if effort != asked:
        config.pop("effort", None)
        full: dict[str, object] = {**config, **({"effort": effort} if effort is not None else {})}
        if full:
            document.write("output_config", full)
        else:
            document.drop("output_config")


def fit_cleared_thinking(document: Document, rules: Rules) -> None:
    """Clear no thinking where none is asked for any more: Anthropic refuses that (anthropics/claude-code#11971)."""
    if rules.wire is not Form.ANTHROPIC_MESSAGES or not document.has("context_management"):
        return
    if not any((each.field, each.kind) == ("thinking", "dropped") for each in document.adjustments):
        return
    management = split(document.fields["context_management"])
    edits = split_list(management["edits"]) if is_list(management.get("edits")) else []
    kept = [edit for edit in edits if not (read_text(edit.get("type")) or "").startswith(_CLEARS_THINKING)]
    if kept:
        document.write("context_management", {**management, "edits": kept})
    elif edits:
        document.drop("context_management")


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
    if form == "none":
        document.drop("thinking")
        if thinking.get("type") not in _OFF:
            document.tell(dropped("thinking"))
        return effort
    if thinking.get("type") in _OFF:
        return _turn_off(document, rules.profile, thinking, effort)
    thinking = _fit_display(document, rules.profile, thinking)
    kind, budget = thinking.get("type"), thinking.get("budget_tokens")
    if form == "adaptive" and kind == "enabled":
        document.write("thinking", {**_without_budget(thinking), "type": "adaptive"})
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


def _fit_display(document: Document, profile: ModelProfile, thinking: dict[str, object]) -> dict[str, object]:
    """Show thinking as the model can show it: ``updates`` hide what it thinks, as ``omitted`` does."""
    if thinking.get("display") != "updates" or profile.thinking_updates is not False:
        return thinking
    thinking = {**thinking, "display": "omitted"}
    document.write("thinking", thinking)
    document.tell(rewritten("thinking", "display=omitted (was updates)"))
    return thinking


def _without_budget(thinking: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in thinking.items() if name != "budget_tokens"}


def _turn_off(document: Document, profile: ModelProfile, thinking: dict[str, object], effort: str | None) -> str | None:
    """Turn thinking off as far as the model lets it be; give the effort that goes with it.

    Anthropic's advice where it stays on is a lower effort: "What's new in Claude Opus 5.5".
    """
    off = profile.thinking_off
    if off is None:
        return effort
    if off == "never":
        document.drop("thinking")
        chosen = effort or choose_effort("low", profile.efforts or ())
        said = "" if chosen == effort else f" for effort={chosen}"
        document.tell(Adjustment("thinking", "dropped", f"thinking dropped{said}", alters=True))
        return chosen
    kind = "between_tools" if off == "between_tools" else "disabled"
    if thinking["type"] != kind:
        document.write("thinking", {"type": kind})
        document.tell(rewritten("thinking", f"sent as {kind}"))
    if off != "any_effort" and effort in {"xhigh", "max"}:
        document.tell(say_effort("output_config", "high", effort))
        return "high"
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
    """Check whether the last turn of the assistant called tools without thinking: then thinking cannot begin."""
    if not document.contains("messages", (b'"tool_use"',)):
        return False
    turns = [turn for turn in split_list(document.fields["messages"]) if read_text(turn.get("role")) == "assistant"]
    content = bytes(turns[-1].get("content", b"")) if turns else b""
    return b'"tool_use"' in content and b'"thinking"' not in content
