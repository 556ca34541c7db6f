"""OpenAI's rules on its responses endpoint, beyond the form of a request.

What a model takes is the table of `wire.openai.rules`, whose families hold here too.
"""

from collections.abc import Iterator

from plano_agents.simulator.wire.openai.refusals import refuse
from plano_agents.simulator.wire.openai.rules import MAX_NAME, check_length, find_family, refuse_effort, refuse_sampling
from plano_agents.simulator.wire.responses import body

MAX_CALL_ID = 64
"""OpenAPI document, FunctionToolCall.call_id."""

ENCRYPTED = "reasoning.encrypted_content"


def check_rules(asked: body.Body) -> None:
    """Refuse what a model does not take.

    Raises:
        Refusal: With the provider's words and code.
    """
    for path, text, most in _list_texts(asked):
        check_length(path, text, most)
    _check_outputs(asked)
    family = find_family(asked.model)
    if family is None:
        return
    limit = asked.max_output_tokens
    if limit is not None and limit > family.max_output_tokens:
        raise refuse(
            f"Invalid 'max_output_tokens': integer above maximum value. Expected a value <= {family.max_output_tokens}, but "
            f"got {limit} instead.",
            "max_output_tokens",
            "integer_above_max_value",
        )
    refuse_effort(family, asked.reasoning.effort if asked.reasoning is not None else None, "reasoning.effort")
    if family.is_fixed:
        refuse_sampling({"temperature": asked.temperature, "top_p": asked.top_p})
    elif not family.efforts and ENCRYPTED in (asked.include or ()):  # microsoft/agent-framework#7483
        raise refuse("Encrypted content is not supported with this model.", "include")


def _list_texts(asked: body.Body) -> Iterator[tuple[str, str, int]]:
    """The texts whose length is limited: path, text, limit."""
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        yield name, getattr(asked, name) or "", MAX_NAME
    for at, item in enumerate(_list_items(asked)):
        yield f"input[{at}].call_id", getattr(item, "call_id", None) or "", MAX_CALL_ID


def _check_outputs(asked: body.Body) -> None:
    """Refuse results without their calls, and calls without their results."""
    called: dict[str, int] = {}
    for at, item in enumerate(_list_items(asked)):
        call_id = getattr(item, "call_id", None)
        if isinstance(item, body.Call | body.CustomCall) and call_id is not None:
            called[call_id] = at
        elif isinstance(item, body.CallOutput):
            if item.call_id not in called:
                raise refuse(f"No tool call found for function call output with call_id {item.call_id}.", "input")
            called[item.call_id] = -1
    for call_id, at in called.items():
        if at >= 0:
            raise refuse(f"No tool output found for function call {call_id}.", "input")


def _list_items(asked: body.Body) -> list[body.Item]:
    return [] if isinstance(asked.input, str) else asked.input
