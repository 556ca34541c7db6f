"""A whole answer of the hub as a stream's chunks, and back: for providers that send the one instead of the other."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET

from plano_agents.protocol import openai_completion as openai


def split_completion(completion: openai.Completion) -> tuple[openai.Chunk, ...]:
    """Write a whole answer as chunks: all that it says, why it ended, its usage."""
    head = openai.Chunk(completion.id, completion.created, completion.model)
    said = tuple(_say(choice) for choice in completion.choices)
    ended = tuple(
        openai.ChunkChoice(
            choice.index,
            openai.Delta(),
            choice.finish_reason,
            native_finish_reason=choice.native_finish_reason,
        )
        for choice in completion.choices
    )
    last = (msgspec.structs.replace(head, usage=completion.usage),) if completion.usage else ()
    replace = msgspec.structs.replace
    return (replace(head, choices=said), replace(head, choices=ended), *last)


def join_chunks(chunks: Iterable[openai.Chunk]) -> openai.Completion:
    """Put a stream's chunks together into the whole answer that they add up to."""
    completion = openai.Completion()
    choices: dict[int, _Choice] = {}
    for chunk in chunks:
        completion = msgspec.structs.replace(
            completion,
            id=completion.id or chunk.id,
            created=completion.created or chunk.created,
            model=completion.model or chunk.model,
            usage=chunk.usage or completion.usage,
        )
        for choice in chunk.choices:
            choices.setdefault(choice.index, _Choice(choice.index)).add(choice)
    return msgspec.structs.replace(completion, choices=tuple(each.build() for each in choices.values()))


def _say(choice: openai.Choice) -> openai.ChunkChoice:
    message = choice.message
    calls = tuple(
        openai.ToolCallDelta(
            number,
            call.id,
            "function",
            openai.FunctionDelta(call.function.name, call.function.arguments),
            call.extra_content,
        )
        for number, call in enumerate(message.tool_calls or ())
    )
    delta = openai.Delta(
        role="assistant",
        content=message.content or UNSET,
        tool_calls=calls or UNSET,
        refusal=message.refusal or UNSET,
        reasoning_content=message.reasoning_content or message.reasoning or UNSET,
        thinking_blocks=message.thinking_blocks or UNSET,
    )
    return openai.ChunkChoice(choice.index, delta, None, choice.logprobs)


@dataclass(slots=True)
class _Choice:
    """One choice as far as its chunks have come."""

    index: int
    texts: dict[str, list[str]] = field(default_factory=dict)
    """Its pieces of text, by the field that they belong to."""
    calls: list[openai.ReplyCall] = field(default_factory=list)
    arguments: list[list[str]] = field(default_factory=list)
    blocks: list[msgspec.Raw] = field(default_factory=list)
    ended: openai.ChunkChoice | None = None
    """What said why it ended."""

    def add(self, choice: openai.ChunkChoice) -> None:
        delta = choice.delta
        reasoning = delta.reasoning_content or delta.reasoning
        for name, text in (
            ("content", delta.content),
            ("refusal", delta.refusal),
            ("reasoning_content", reasoning),
        ):
            if text:
                self.texts.setdefault(name, []).append(text)
        self.blocks.extend(delta.thinking_blocks or ())
        for call in delta.tool_calls or ():
            function = call.function or openai.FunctionDelta()
            if call.index == len(self.calls):
                begun = openai.ReplyFunction(function.name or "")
                self.calls.append(openai.ReplyCall(call.id or "", begun, extra_content=call.extra_content))
                self.arguments.append([])
            self.arguments[call.index].append(function.arguments or "")
        if choice.finish_reason:
            self.ended = choice

    def build(self) -> openai.Choice:
        calls = tuple(
            msgspec.structs.replace(call, function=openai.ReplyFunction(call.function.name, "".join(pieces)))
            for call, pieces in zip(self.calls, self.arguments, strict=True)
        )
        message = openai.ReplyMessage(
            content=self._join("content"),
            refusal=self._join("refusal"),
            tool_calls=calls or UNSET,
            reasoning_content=self._join("reasoning_content") or UNSET,
            thinking_blocks=tuple(self.blocks) or UNSET,
        )
        ended = self.ended or openai.ChunkChoice()
        return openai.Choice(self.index, message, ended.finish_reason, native_finish_reason=ended.native_finish_reason)

    def _join(self, name: str) -> str | None:
        return "".join(self.texts.get(name, ())) or None
