"""The body of OpenAI's responses endpoint, as its API reference gives it ("Create a model response").

What the reference knows and this lacks is refused, as is what neither knows. Items and tools that change nothing here
are checked for what names them, and accepted.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Discriminator, Field, JsonValue, Tag

from plano_agents.simulator.wire.openai.body import CacheOptions, ToolName
from plano_agents.simulator.wire.openai.response_format import JsonFormat, NamedSchema, TextFormat
from plano_agents.simulator.wire.reading import Lenient, Strict


class InputText(Strict):
    """A piece of what is said to the model."""

    type: Literal["input_text"]
    text: str


class InputImage(Strict):
    """An image."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class InputFile(Strict):
    """A PDF; what was uploaded before (``file_id``) is not known."""

    type: Literal["input_file"]
    file_data: str
    filename: str | None = None


class OutputText(Strict):
    """A piece of what the model said."""

    type: Literal["output_text"]
    text: str
    annotations: list[JsonValue] | None = None
    logprobs: list[JsonValue] | None = None


class RefusalPart(Strict):
    """A model's earlier refusal."""

    type: Literal["refusal"]
    refusal: str


InputPart: TypeAlias = Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]
OutputPart: TypeAlias = Annotated[OutputText | RefusalPart, Field(discriminator="type")]


class Named(Strict):
    """An item that may have an id."""

    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class Said(Named):
    """A message of the user, the developer or the system."""

    type: Literal["message"] = "message"
    role: Literal["user", "developer", "system"]
    content: str | Annotated[list[InputPart], Field(min_length=1)]


class Answered(Named):
    """A message of the model."""

    type: Literal["message"] = "message"
    role: Literal["assistant"]
    content: str | list[OutputPart]
    phase: str | None = None


class Reasoning(Named):
    """The reasoning of the model; nobody looks into it here."""

    type: Literal["reasoning"]
    summary: list[JsonValue]
    content: list[JsonValue] | None = None
    encrypted_content: str | None = None


class Call(Named):
    """A call of a function."""

    type: Literal["function_call"]
    call_id: str
    name: str
    namespace: str | None = None
    arguments: str


class CustomCall(Named):
    """A call of a tool that takes free text."""

    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    namespace: str | None = None
    input: str


class SearchCall(Named):
    """A call of the client's search of tools."""

    type: Literal["tool_search_call"]
    call_id: str | None = None
    execution: Literal["client", "server"] | None = None
    arguments: dict[str, JsonValue]


class CallOutput(Named):
    """The result of a call."""

    type: Literal["function_call_output", "custom_tool_call_output"]
    call_id: str
    output: str | list[InputPart]


class SearchOutput(Named):
    """The result of a search of tools."""

    type: Literal["tool_search_output"]
    call_id: str | None = None
    execution: Literal["client", "server"] | None = None
    tools: list[JsonValue]


class OtherItem(Lenient):
    """An item about which nothing is done here."""

    type: Literal["additional_tools", "compaction", "local_shell_call", "local_shell_call_output", "web_search_call"]


def _name_item(item: Any) -> str:  # noqa: ANN401 - whatever was sent
    found = dict(item) if isinstance(item, dict | BaseModel) else {}
    kind = found.get("type", "message")
    if kind == "message":
        return "answered" if found.get("role") == "assistant" else "said"
    return _ITEMS.get(str(kind), "other")


_ITEMS = {
    "reasoning": "reasoning",
    "function_call": "call",
    "custom_tool_call": "custom",
    "tool_search_call": "search",
    "function_call_output": "output",
    "custom_tool_call_output": "output",
    "tool_search_output": "found",
}

Item: TypeAlias = Annotated[
    Annotated[Said, Tag("said")]
    | Annotated[Answered, Tag("answered")]
    | Annotated[Reasoning, Tag("reasoning")]
    | Annotated[Call, Tag("call")]
    | Annotated[CustomCall, Tag("custom")]
    | Annotated[SearchCall, Tag("search")]
    | Annotated[CallOutput, Tag("output")]
    | Annotated[SearchOutput, Tag("found")]
    | Annotated[OtherItem, Tag("other")],
    Discriminator(_name_item),
]


class Function(Strict):
    """A function that may be called."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: dict[str, JsonValue] | None
    strict: bool | None = None
    defer_loading: bool | None = None


class OtherTool(Lenient):
    """A tool that the simulated models never call: of free text, within a namespace, or one that the provider runs."""

    type: Literal[
        "code_interpreter",
        "custom",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "namespace",
        "tool_search",
        "web_search",
    ]
    name: str | None = None


Tool: TypeAlias = Annotated[
    Annotated[Function, Tag("function")] | Annotated[OtherTool, Tag("other")],
    Discriminator(
        lambda tool: (
            "function"
            if (tool.get("type") if isinstance(tool, dict) else getattr(tool, "type", None)) == "function"
            else "other"
        )
    ),
]


class NamedChoice(Strict):
    """The demand for one function."""

    type: Literal["function"]
    name: str


class SchemaFormat(NamedSchema):
    """JSON that is valid for a schema."""

    type: Literal["json_schema"]


class TextSettings(Strict):
    """The settings of the answer's text."""

    format: Annotated[TextFormat | JsonFormat | SchemaFormat, Field(discriminator="type")] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningSettings(Strict):
    """The settings of the model's reasoning."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None


class StreamOptions(Strict):
    """The options of a stream."""

    include_obfuscation: bool | None = None


class Body(Strict):
    """The whole request."""

    model: str
    input: str | Annotated[list[Item], Field(min_length=1)]
    instructions: str | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    max_tool_calls: int | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    text: TextSettings | None = None
    reasoning: ReasoningSettings | None = None
    include: list[str] | None = None
    store: bool | None = None
    background: Literal[False] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    previous_response_id: None = None
    conversation: None = None
    context_management: list[JsonValue] | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    client_metadata: dict[str, JsonValue] | None = None
    moderation: JsonValue = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
