"""OpenAI's responses, as a proxy writes them.

Shapes are those of OpenAI's API reference, "The response object".
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import ABSENT

AUTO = msgspec.Raw(b'"auto"')
"""The tool choice of a request that names none."""

PLAIN_TEXT = msgspec.Raw(b'{"format":{"type":"text"}}')
"""The text configuration of a request that has none."""


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    """A piece of text."""

    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[()] = ()


class Refusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    """The model's refusal."""

    refusal: str


class SummaryText(Struct, frozen=True, tag_field="type", tag="summary_text"):
    """A summary of the model's reasoning."""

    text: str


class ReasoningItem(Struct, frozen=True, tag_field="type", tag="reasoning"):
    """The model's reasoning."""

    id: str
    status: str
    summary: tuple[SummaryText, ...] = ()
    encrypted_content: str | None = None
    """To be sent back as it is; see `openai_responses.seal_thinking`."""


class MessageItem(Struct, frozen=True, tag_field="type", tag="message"):
    """A message of the model."""

    id: str
    status: str
    content: tuple[OutputText | Refusal, ...] = ()
    role: str = "assistant"


class CallItem(Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call of a function tool."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    """That of the function, where it has one."""


class CustomCallItem(Struct, frozen=True, tag_field="type", tag="custom_tool_call"):
    """A call of a tool whose input is text."""

    id: str
    status: str
    call_id: str
    name: str
    input: str
    namespace: str | msgspec.UnsetType = msgspec.UNSET
    """That of the tool, where it has one."""


class ShellCallItem(Struct, frozen=True, tag_field="type", tag="local_shell_call"):
    """A call of the client's own shell."""

    id: str
    status: str
    call_id: str
    action: Mapping[str, object]


class SearchCallItem(Struct, frozen=True, tag_field="type", tag="tool_search_call"):
    """A call of the client's own search of tools."""

    id: str
    status: str
    call_id: str
    arguments: Mapping[str, object]
    execution: str = "client"


class CompactionItem(Struct, frozen=True, tag_field="type", tag="compaction"):
    """The summary that stands for what was said before it."""

    id: str
    encrypted_content: str
    """To be sent back as it is; see `sealed_summary`."""


AnyCallItem = CallItem | CustomCallItem | ShellCallItem | SearchCallItem
Item = ReasoningItem | MessageItem | AnyCallItem | CompactionItem


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function"):
    """A tool that was offered."""

    name: str
    description: str | None
    parameters: msgspec.Raw
    strict: bool | None


class InputTokensDetails(Struct, frozen=True):
    """The details of the input tokens."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Struct, frozen=True):
    """The details of the output tokens."""

    reasoning_tokens: int


class Usage(Struct, frozen=True):
    """Tokens of one answer; ``input_tokens`` counts cached ones too."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class IncompleteDetails(Struct, frozen=True):
    """The reason for which an answer is not whole."""

    reason: str


class Failure(Struct, frozen=True):
    """The reason for which there is no answer."""

    code: str
    message: str


class Response(Struct, frozen=True, kw_only=True):
    """A response, of whatever status; much of it repeats the request."""

    id: str = ""
    object: str = "response"
    created_at: int
    """Unix time in seconds."""
    status: str = "in_progress"
    background: bool = False
    error: Failure | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str]
    model: str = ""
    output: tuple[Item, ...] = ()
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    reasoning: msgspec.Raw = ABSENT
    store: bool = False
    """Nothing is stored, whatever was asked for."""
    temperature: float | None = None
    text: msgspec.Raw = PLAIN_TEXT
    tool_choice: msgspec.Raw = AUTO
    tools: tuple[FunctionTool | msgspec.Raw, ...] = ()
    """Those of other kinds stand as they came."""
    top_p: float | None = None
    truncation: str = "disabled"
    usage: Usage | None = None
    user: str | None = None
