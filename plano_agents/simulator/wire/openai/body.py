"""The body of OpenAI's chat completions endpoint, as its API reference gives it ("Create chat completion").

What the reference knows and this lacks is refused, as is what neither knows; ``limits`` tells the two apart. Fields
that change nothing here (``seed``, ``reasoning_effort``, ``prediction``, ``logit_bias``, …) are checked and accepted.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from plano_agents.simulator.wire.openai.response_format import ResponseFormat
from plano_agents.simulator.wire.reading import Strict

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Breakpoint(Strict):
    """The mark of a prefix that is to be cached."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class Text(Strict):
    """A piece of text."""

    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class Url(Strict):
    """The address of an image."""

    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"


class Image(Strict):
    """An image."""

    type: Literal["image_url"]
    image_url: Url
    prompt_cache_breakpoint: Breakpoint | None = None


class FileData(Strict):
    """A PDF; what was uploaded before (``file_id``) is not known."""

    file_data: str
    filename: str | None = None


class File(Strict):
    """A file."""

    type: Literal["file"]
    file: FileData
    prompt_cache_breakpoint: Breakpoint | None = None


class RefusalPart(Strict):
    """A model's earlier refusal."""

    type: Literal["refusal"]
    refusal: str


class System(Strict):
    """Instructions, under their old or new name."""

    role: Literal["system", "developer"]
    content: str | list[Text]
    name: str | None = None


class User(Strict):
    """The user's words, images and files."""

    role: Literal["user"]
    content: str | Annotated[list[Annotated[Text | Image | File, Field(discriminator="type")]], Field(min_length=1)]
    name: str | None = None


class CalledFunction(Strict):
    """A called function, with its arguments as JSON text."""

    name: str
    arguments: str


class Call(Strict):
    """A call that the model made."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class CalledCustom(Strict):
    """A called tool, with its free text."""

    name: str
    input: str


class CustomCall(Strict):
    """A call of a custom tool."""

    id: str
    type: Literal["custom"]
    custom: CalledCustom


class Assistant(Strict):
    """The model's turn."""

    role: Literal["assistant"]
    content: str | list[Annotated[Text | RefusalPart, Field(discriminator="type")]] | None = None
    name: str | None = None
    refusal: str | None = None
    annotations: list[JsonValue] | None = None
    audio: None = None
    function_call: None = None
    tool_calls: (
        Annotated[list[Annotated[Call | CustomCall, Field(discriminator="type")]], Field(min_length=1)] | None
    ) = None


class ToolAnswer(Strict):
    """A tool's result."""

    role: Literal["tool"]
    tool_call_id: str
    content: str | list[Text]
    name: str | None = None
    """Not in the reference, and taken all the same: frameworks send the tool's name."""


class Function(Strict):
    """A function that may be called."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None
    strict: bool | None = None


class Tool(Strict):
    """A function."""

    type: Literal["function"]
    function: Function


class Custom(Strict):
    """A tool that takes free text."""

    name: ToolName
    description: str | None = None
    format: dict[str, JsonValue] | None = None


class CustomTool(Strict):
    """A tool that takes free text; the simulated models never call one."""

    type: Literal["custom"]
    custom: Custom


AnyTool: TypeAlias = Annotated[Tool | CustomTool, Field(discriminator="type")]


class NamedFunction(Strict):
    """The function that must be called."""

    name: str


class NamedChoice(Strict):
    """The demand for one function."""

    type: Literal["function"]
    function: NamedFunction


class StreamOptions(Strict):
    """The options of a stream."""

    include_usage: bool = False
    include_obfuscation: bool = False


class Prediction(Strict):
    """The predicted text of the answer."""

    type: Literal["content"]
    content: str | list[Text]


class CacheOptions(Strict):
    """The options of the prompt's cache."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m"] | None = None


Message: TypeAlias = Annotated[
    System | User | Assistant | ToolAnswer,
    Field(discriminator="role"),
]


class Body(Strict):
    """The whole request."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    tools: Annotated[list[AnyTool], Field(min_length=1, max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text"]] | None = None
    seed: int | None = None
    user: str | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    store: bool | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    prediction: Prediction | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None
    safety_identifier: str | None = None
