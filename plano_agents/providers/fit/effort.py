"""Reasoning effort in the model's own form: one of its efforts, or none.

OpenAI's chat wire says ``reasoning_effort``, its responses wire ``reasoning.effort``; Anthropic's wire is left to
`thinking`. An effort that the model lacks becomes the nearest below, else the nearest above; ``none`` asks for no
thinking wherever that can be said.
"""

from collections.abc import Sequence

from plano_agents.protocol.adjustment import Adjustment, dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.fit.document import Document, read_text, split
from plano_agents.providers.fit.rules import Rules

SCALE = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All efforts, in ascending order."""


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
    if rules.wire is Form.OPENAI_CHAT:
        _fit_chat_effort(document, rules)
    elif rules.wire is Form.OPENAI_RESPONSES:
        _fit_responses_effort(document, rules)


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
    efforts = _list_taken(document, rules, asked)
    if efforts is None:
        return
    chosen = choose_effort(asked, efforts)
    if chosen is None:
        document.drop(name)
        tell_none(document, name, asked)
    elif chosen != asked:
        document.write(name, chosen)
        document.tell(say_effort(name, chosen, asked))


def _list_taken(document: Document, rules: Rules, asked: str) -> Sequence[str] | None:
    """List the efforts that the model takes; None where an unknown one is left to its provider.

    None is asked of an unknown model only in its client's own words: where thinking was turned off in Anthropic's, the
    model may not know the word.
    """
    efforts = rules.profile.efforts
    return () if efforts is None and asked == "none" and document.is_translated else efforts


def _fit_responses_effort(document: Document, rules: Rules) -> None:
    if not document.has("reasoning"):
        return
    reasoning = split(document.fields["reasoning"])
    asked = read_text(reasoning.get("effort"))
    efforts = _list_taken(document, rules, asked) if asked is not None else None
    if asked is None or efforts is None:
        return
    chosen = choose_effort(asked, efforts)
    if chosen == asked:
        return
    document.write(
        "reasoning",
        {**{k: v for k, v in reasoning.items() if k != "effort"}, **({"effort": chosen} if chosen else {})},
    )
    if chosen is None:
        if len(reasoning) == 1:
            document.drop("reasoning")
        tell_none(document, "reasoning", asked)
    else:
        document.tell(say_effort("reasoning", chosen, asked))


def say_effort(field: str, chosen: str, asked: str) -> Adjustment:
    """Tell that another effort is asked for."""
    return Adjustment(field, "clamped", f"{field}: effort={chosen} (was {asked})", alters=True)


def tell_none(document: Document, field: str, asked: str) -> None:
    """Tell that no effort is asked for; a model without any does as it was told where that was ``none``."""
    document.tell(dropped(field, alters=asked != "none"))
