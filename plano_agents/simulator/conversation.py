"""The conversation on either wire: the frozen view that the simulated agent reads.

Ids that a wire gives to calls are kept for matching results to calls, and left out of the rendering, so that the same
conversation is the same prompt on both wires.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from plano_agents.simulator.schema import JsonObject, resolve, to_object


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model made."""

    id: str
    """What its result refers to."""
    name: str
    """The tool."""
    arguments: JsonObject
    """The arguments, parsed."""

    @property
    def arguments_json(self) -> str:
        """The arguments as JSON."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's result."""

    call_id: str
    """The call that it answers."""
    text: str
    """The answer; often JSON."""
    is_error: bool = False
    """True if the client marked it as an error; only the Anthropic wire can."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the user or the model, or instructions between them; tool results are the user's."""

    role: Literal["user", "assistant", "system"]
    """Whose it is."""
    text: str = ""
    """The words, joined by newlines."""
    calls: tuple[ToolCall, ...] = ()
    """The model's tool calls."""
    results: tuple[ToolResult, ...] = ()
    """The tools' answers."""
    images: int = 0
    """How many images came with it; they are counted, not looked at."""
    documents: tuple[str, ...] = ()
    """The texts of documents that came with it; a placeholder of the same length where only its pages are known."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call."""

    name: str
    """Its name."""
    description: str
    """What it does, in its author's words."""
    parameters: JsonObject
    """What it takes, as a JSON Schema."""
    definition: str
    """The whole definition as canonical JSON: what the prompt holds of it."""
    is_callable: bool = True
    """True if the simulated models can call it: not a tool that takes free text, or that the provider runs."""

    @property
    def members(self) -> dict[str, JsonObject]:
        """The schemas of its parameters, by name."""
        members = to_object(resolve(self.parameters, self.parameters).get("properties"))
        return {name: resolve(member, self.parameters) for name, member in members.items()}


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """The tool choice: the model may, must or must not call tools."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    """``named`` means one given tool must be called."""
    name: str = ""
    """The tool, where the mode is ``named``."""
    parallel: bool = True
    """True if one turn may hold several calls."""


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The demand for an answer in JSON."""

    schema: JsonObject | None = None
    """What the answer must be valid for; None means any object."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request, without what only its wire knows."""

    messages: tuple[Message, ...]
    """The turns, oldest first."""
    system: str = ""
    """The instructions."""
    tools: tuple[Tool, ...] = ()
    """What may be called."""
    choice: ToolChoice = field(default_factory=ToolChoice)
    """How tools may be used."""
    format: AnswerFormat | None = None
    """How the answer must be written; None means in words."""

    def find_tool(self, name: str) -> Tool | None:
        """The offered tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)


IMAGE_PLACEHOLDER = " image" * 85
"""What an image adds to a prompt: 85 tokens, OpenAI's base price of a low-detail image."""

PAGE_PLACEHOLDER = " page" * 1500
"""What a page of a PDF adds to a prompt: 1,500 tokens, the least that Anthropic's guide to PDFs names."""


def render_prompt(conversation: Conversation) -> str:
    """Write a conversation down as a prompt: tools, instructions, turns.

    What is appended to a conversation is appended to its prompt, so a longer one shares its prefix.
    """
    return "".join(text for _, text in render_blocks(conversation))


def digest_conversation(conversation: Conversation, seed: int) -> bytes:
    """Name a conversation: the same one, under the same seed, has the same 32 bytes."""
    prompt = f"{seed}\n{conversation.choice}\n{render_prompt(conversation)}"
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()


def render_blocks(conversation: Conversation) -> Iterator[tuple[str, str]]:
    """Write a conversation down block by block.

    Yields:
        Where a block stands, ``tools.0``, ``format``, ``system`` or ``messages.3``, and its text; a message may have
        several.
    """
    for at, tool in enumerate(conversation.tools):
        yield f"tools.{at}", f"<tool>{tool.definition}\n"
    if conversation.format is not None:
        yield "format", f"<format>{json.dumps(conversation.format.schema, sort_keys=True, ensure_ascii=False)}\n"
    if conversation.system:
        yield "system", f"<system>{conversation.system}\n"
    for at, message in enumerate(conversation.messages):
        for text in _render(message):
            yield f"messages.{at}", text


def _render(message: Message) -> Iterator[str]:
    yield f"<{message.role}>{message.text}\n{IMAGE_PLACEHOLDER * message.images}"
    for document in message.documents:
        yield f"<document>{document}\n"
    for call in message.calls:
        yield f"<call>{call.name}{json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)}\n"
    for result in message.results:
        yield f"<result>{result.text}\n"
