"""OpenAI's chat completions answers: a body, or a stream of chunks."""

from collections.abc import Iterator, Mapping, Sequence

from plano_agents.simulator.wire.events import Event, encode_json, split_fragments
from plano_agents.simulator.wire.exchange import Answer

_FINISH = {"stop": "stop", "stop_sequence": "stop", "tool_calls": "tool_calls", "length": "length"}
_FINGERPRINT = "fp_simulated"


def encode_openai_answer(answer: Answer) -> bytes:
    """Write the plain answer."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": answer.text or (None if answer.calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{call.id}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json},
            }
            for call in answer.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[answer.finish]}
    return encode_json(_frame(answer, "chat.completion", [choice]) | {"usage": _build_usage(answer)})


def encode_openai_events(answer: Answer, *, include_usage: bool) -> Iterator[Event]:
    """Write the answer as a stream.

    Args:
        answer: What is answered.
        include_usage: Whether one more chunk, without choices, reports the usage before the end.
    """

    def chunk(delta: Mapping[str, object], tokens: int = 0, finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        frame = _frame(answer, "chat.completion.chunk", [choice])
        return _encode(frame | {"usage": None} if include_usage else frame, tokens)

    empty = None if answer.calls and not answer.text else ""
    yield chunk({"role": "assistant", "content": empty, "refusal": None})
    for text, tokens in split_fragments(answer.text):
        yield chunk({"content": text}, tokens)
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        start = {"index": index, "id": f"call_{call.id}", "type": "function", "function": function}
        yield chunk({"tool_calls": [start]}, 1)
        for part, tokens in split_fragments(call.arguments_json):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]}, tokens)
    yield chunk({}, finish=_FINISH[answer.finish])
    if include_usage:
        yield _encode(_frame(answer, "chat.completion.chunk", []) | {"usage": _build_usage(answer)})
    yield Event(b"data: [DONE]\n\n")


def encode_openai_models(models: Sequence[str]) -> bytes:
    """Write the list of models."""
    data = [{"id": model, "object": "model", "created": 0, "owned_by": "simulator"} for model in models]
    return encode_json({"object": "list", "data": data})


def _encode(frame: Mapping[str, object], tokens: int = 0) -> Event:
    return Event(b"data: " + encode_json(frame) + b"\n\n", tokens)


def _frame(answer: Answer, kind: str, choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": kind,
        "created": answer.created,
        "model": answer.model,
        "service_tier": "default",
        "system_fingerprint": _FINGERPRINT,
        "choices": choices,
    }


def _build_usage(answer: Answer) -> dict[str, object]:
    return {
        "prompt_tokens": answer.prompt.total,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt.total + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.prompt.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
