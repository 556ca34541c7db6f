"""OpenAI's responses answers: a body, or a stream of events."""

import itertools
from collections.abc import Iterator

from plano_agents.simulator.conversation import ToolCall
from plano_agents.simulator.wire.events import Event, encode_json, split_fragments
from plano_agents.simulator.wire.exchange import Answer

_Object = dict[str, object]


def encode_responses_answer(answer: Answer) -> bytes:
    """Write the plain answer."""
    return encode_json(_build_response(answer, "incomplete" if answer.finish == "length" else "completed"))


def encode_responses_events(answer: Answer) -> Iterator[Event]:
    """Write the answer as a stream."""
    numbers = itertools.count()

    def event(kind: str, fields: _Object, tokens: int = 0) -> Event:
        data = encode_json({"type": kind, "sequence_number": next(numbers)} | fields)
        return Event(b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n", tokens)

    begun = _build_response(answer, "in_progress")
    yield event("response.created", {"response": begun})
    yield event("response.in_progress", {"response": begun})
    calls = iter(answer.calls)
    for index, item in enumerate(_build_output(answer)):
        place: _Object = {"item_id": item["id"], "output_index": index}
        begun = item | {"status": "in_progress"}
        if item["type"] == "message":
            part: _Object = place | {"content_index": 0}
            yield event("response.output_item.added", {"output_index": index, "item": begun | {"content": []}})
            yield event("response.content_part.added", part | {"part": _build_part("")})
            for text, tokens in split_fragments(answer.text):
                yield event("response.output_text.delta", part | {"delta": text, "logprobs": []}, tokens)
            yield event("response.output_text.done", part | {"text": answer.text, "logprobs": []})
            yield event("response.content_part.done", part | {"part": _build_part(answer.text)})
        else:
            call = next(calls)
            yield event("response.output_item.added", {"output_index": index, "item": begun | {"arguments": ""}}, 1)
            for text, tokens in split_fragments(call.arguments_json):
                yield event("response.function_call_arguments.delta", place | {"delta": text}, tokens)
            done = {"name": call.name, "arguments": call.arguments_json}
            yield event("response.function_call_arguments.done", place | done)
        yield event("response.output_item.done", {"output_index": index, "item": item})
    status = "incomplete" if answer.finish == "length" else "completed"
    yield event(f"response.{status}", {"response": _build_response(answer, status)})


def _build_output(answer: Answer) -> list[_Object]:
    items = [_build_message(answer)] if answer.text or not answer.calls else []
    return [*items, *(_build_call(call) for call in answer.calls)]


def _build_message(answer: Answer) -> _Object:
    content = [_build_part(answer.text)]
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }


def _build_part(text: str) -> _Object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _build_call(call: ToolCall) -> _Object:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{call.id}",
        "name": call.name,
        "arguments": call.arguments_json,
    }


def _build_response(answer: Answer, status: str) -> _Object:
    is_over = status != "in_progress"
    return {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": answer.model,
        "output": _build_output(answer) if is_over else [],
        "parallel_tool_calls": True,
        "store": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": _build_usage(answer) if is_over else None,
    } | dict(answer.echo)


def _build_usage(answer: Answer) -> _Object:
    return {
        "input_tokens": answer.prompt.total,
        "input_tokens_details": {"cached_tokens": answer.prompt.cached, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt.total + answer.completion_tokens,
    }
