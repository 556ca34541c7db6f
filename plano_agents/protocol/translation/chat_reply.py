"""A whole answer of an OpenAI-compatible provider as the hub has it: calls named, finish reasons in OpenAI's words.

A whole answer is over, so a finish reason that was left out is the one that its content shows.
"""

import msgspec

from plano_agents.errors import UpstreamProtocolError
from plano_agents.protocol.openai_completion import (
    Choice,
    Completion,
    ReplyCall,
    ReplyMessage,
    parse_completion,
    read_finish_reason,
)
from plano_agents.protocol.translation.calls import CallIds, name_calls


def read_completion(body: bytes, ids: CallIds) -> Completion:
    """Read a whole answer into the hub.

    Args:
        body: The chat completion, JSON.
        ids: Gives the answer's calls their ids.

    Raises:
        UpstreamProtocolError: It is not a completion in OpenAI's form.
    """
    completion = parse_completion(body)
    choices = tuple(_read_choice(choice, ids) for choice in completion.choices)
    return msgspec.structs.replace(completion, choices=choices)


def _read_choice(choice: Choice, ids: CallIds) -> Choice:
    message = choice.message
    if message.function_call:
        old = ReplyCall(function=message.function_call)
        message = msgspec.structs.replace(message, tool_calls=(old,), function_call=msgspec.UNSET)
    calls = message.tool_calls
    if choice.finish_reason is None and message == ReplyMessage():
        raise UpstreamProtocolError("The provider's answer has neither content nor a finish reason.")
    if calls:
        message = msgspec.structs.replace(message, tool_calls=name_calls(calls, ids))
        choice = msgspec.structs.replace(choice, message=message)
    native = choice.finish_reason or ""
    reason = read_finish_reason(native, calls=bool(calls))
    if reason == native:
        return choice
    told = native or msgspec.UNSET
    return msgspec.structs.replace(choice, finish_reason=reason, native_finish_reason=told)
