"""The providers' dialects, a row each: what each takes of the wire that it speaks, beyond what its models take.

A dialect holds wherever the provider's interface is configured under the provider's own name; an OpenAI-compatible
server of unknown make (`provider_interface: openai` under another name) gets `COMPATIBLE`, which leaves requests
nearly alone. `fit` applies them. Each row names the pages that say so, all read on 2026-11-28.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from plano_agents.config.model import Model
from plano_agents.protocol.form import Form


def words(text: str) -> frozenset[str]:
    """Make a set of a text's words."""
    return frozenset(text.split())


_STANDARD_CHAT = words(
    """messages model stream stream_options max_tokens max_completion_tokens temperature top_p stop n seed
    presence_penalty frequency_penalty logit_bias logprobs top_logprobs tools tool_choice parallel_tool_calls functions
    function_call response_format reasoning_effort verbosity user safety_identifier store metadata modalities audio
    prediction service_tier prompt_cache_key prompt_cache_options prompt_cache_retention web_search_options
    moderation"""
)

_ANTHROPIC_FIELDS = words(
    """model max_tokens messages system stream temperature top_p top_k stop_sequences tools tool_choice thinking
        metadata service_tier container mcp_servers context_management output_config output_format cache_control
        inference_geo speed diagnostics fallbacks"""
)

_OTHERS = words(
    """cache_control chat_template_kwargs enable_thinking extra_body guided_json min_p mirostat random_seed
    repetition_penalty safe_prompt thinking top_a top_k typical_p"""
)
"""Fields of providers that speak OpenAI's wire with words of their own."""

WORD = r"[a-zA-Z0-9_-]"
"""A character that every provider takes in names and ids."""


@dataclass(frozen=True)
class IdRule:
    """The ids of tool calls that a provider takes."""

    pattern: re.Pattern[str]
    """Of a whole id."""
    length: int
    """How long a rewritten id is, at most."""
    own: str
    """A pattern of the provider's own ids, which need no look as long as none stands twice."""
    alphabet: Literal["word", "alphanumeric"] = "word"
    """What a rewritten id is made of."""
    unique: bool = False
    """True if an id may stand for one call of the conversation alone."""

    @cached_property
    def calls(self) -> re.Pattern[bytes]:
        """Finds the ids in a conversation's bytes; of one that may not be the provider's own, nothing."""
        return re.compile(rf'id"\s*+:\s*+(?:"({self.own})"|)'.encode())


ANY_ID = IdRule(re.compile(r".+", re.DOTALL), 40, r'[^"\\]+')
"""Takes every id, but each call needs one."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A provider's dialect of its wire; fields that are not named here pass unchanged."""

    name: str
    """The provider's, or that of those who share it."""
    source: str
    """The pages, code or reports that say so."""
    fields: frozenset[str] | None = None
    """The top-level fields that it takes; None where all but the `refused` pass, for each release brings new ones."""
    refused: frozenset[str] = frozenset()
    """Other providers' top-level fields that it is known to refuse."""
    always: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Fields that every request must have, with their values, whatever the client asks for."""
    defaults: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """Fields that every request must have, with the values of those that say nothing there."""
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Fields that it spells otherwise."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    """How it spells the limit of tokens on chat completions; None where it takes either."""
    least_limit: int | None = None
    """The lowest limit of tokens."""
    needs_limit: bool = False
    """True if a request must name its limit of tokens."""
    user_length: int | None = None
    """How long an id of a user, or a cache key, may be."""
    include_usage: bool = True
    """True if ``stream_options.include_usage`` is taken."""
    max_temperature: float | None = None
    """The highest temperature."""
    max_stops: int | None = None
    """How many stop sequences are taken."""
    blank_stops: bool = True
    """True if a stop sequence may be white space."""
    blank_text: bool = True
    """True if a text may be empty or white space."""
    cache_marks: bool = True
    """True if Anthropic's marks for its cache are taken within messages and tools."""
    refused_message_fields: frozenset[str] = frozenset()
    """Fields of messages that it refuses, of those that clients send, or send back."""
    roles: frozenset[str] | None = None
    """The roles of chat messages; None where others pass."""
    system_first: bool = False
    """True if system messages may only stand at the beginning."""
    empty_turns: Literal["any", "text", "none"] = "any"
    """What an assistant's message without text or calls may be: anything, an empty text, or nothing at all."""
    marks_prefill: bool = False
    """True if a last message of the assistant, which the answer goes on from, must be marked as a ``prefix``."""
    choice_needs_tools: bool = False
    """True if a tool choice, or the setting for parallel calls, may only be sent beside tools."""
    user_after_tool: bool = True
    """True if a user's message may follow a tool's."""
    user_first: bool = False
    """True if the conversation must begin with the user."""
    call_ids: IdRule = ANY_ID
    """The ids of tool calls."""
    name_length: int | None = None
    """How long a tool's name may be, in `WORD` characters; None where any passes."""
    custom_tools: bool = True
    """True if OpenAI's custom tools, whose input is free text, may be there."""
    tool_schemas: Literal["any", "object", "object or none"] = "any"
    """The schemas of tools: any, or objects without alternatives at the top."""
    answer_schemas: Literal["any", "closed", "strict"] = "any"
    """The schemas of structured output and strict tools: any, closed objects without bounds, or those with every
    property required."""
    media_types: frozenset[str] | None = None
    """The images that are taken by value."""
    reasoning_content: bool | None = None
    """True if a turn's ``reasoning_content`` is taken; None where that is not known."""
    reasoning_placeholder: str | None = None
    """The ``reasoning_content`` of a turn with calls that has none; None where none is needed."""
    thought_signatures: Literal["taken", "needed"] | None = None
    """True if calls may carry Gemini's signatures, or must."""
    no_effort: Mapping[str, object] | None = None
    """What a field asks for no reasoning, in place of ``reasoning_effort: none``."""


_OPENAI_ROLES = frozenset({"system", "user", "assistant", "tool"})

COMPATIBLE = Dialect(
    "openai_compatible",
    "a server of unknown make; BerriAI/litellm and vllm-project/vllm take OpenAI's fields and ignore others; chat "
    "templates know no developer (QwenLM/Qwen3.8#186)",
    roles=_OPENAI_ROLES,
)
"""An OpenAI-compatible server of unknown make."""

_SENT_BACK = words(
    "annotations audio function_call parsed provider_specific_fields reasoning reasoning_details refusal"
)
"""Fields of answers, of OpenAI's and of gateways', that clients send back within the transcript."""

_LEAST_OUTPUT = 16
"""OpenAI's lowest ``max_output_tokens``: its 400 "integer below minimum value. Expected a value >= 16"."""

_OPENAI = Dialect(
    "openai",
    "OpenAI's OpenAPI document (CreateChatCompletionRequest, FunctionObject, safety_identifier); "
    "platform.openai.com/docs/guides/structured-outputs; maximhq/bifrost PR 1000 (user); call ids: OpenAI's 400 "
    "string_above_max_length; langchain-ai/langchainjs#9804 (alternatives at a tool schema's top)",
    refused=_OTHERS,
    empty_turns="text",
    choice_needs_tools=True,
    cache_marks=False,
    refused_message_fields=words("parsed provider_specific_fields reasoning reasoning_details"),
    user_length=64,
    max_temperature=2.0,
    max_stops=4,
    call_ids=IdRule(re.compile(r".{1,40}", re.DOTALL), 40, "call_[a-zA-Z0-9_]{1,35}"),
    reasoning_content=False,
    name_length=64,
    tool_schemas="object or none",
    answer_schemas="strict",
)

_RESPONSES_IDS = IdRule(re.compile(r".{1,64}", re.DOTALL), 64, "call_[a-zA-Z0-9_]{1,59}")
"""On OpenAI's responses wire, at any server: OpenAI's 400 ``string_above_max_length`` of ``input[].call_id``
(decolua/9router#393, AnswerDotAI/fastllm#45)."""

_CHATGPT = Dialect(
    "chatgpt",
    "mnfst/llm-gateway PR 1807 (fields, store); RayBytes/ChatMock#103 (max_output_tokens); the backend's 400s \"Stream must "
    'be set to true" and "Instructions are required"',
    refused=words(
        "max_output_tokens metadata prompt_cache_retention safety_identifier temperature top_p truncation user"
    ),
    always=MappingProxyType({"store": False, "stream": True}),
    defaults=MappingProxyType({"instructions": "You are a helpful assistant."}),
    user_length=64,
    call_ids=_RESPONSES_IDS,
    name_length=64,
    answer_schemas="strict",
)

_ANTHROPIC = Dialect(
    "anthropic",
    "platform.claude.com/docs/en/api/messages, build-with-claude/structured-outputs, build-with-claude/vision, "
    "agents-and-tools/tool-use; anomalyco/opencode#31259 (blank text), BerriAI/litellm#3286 (blank stops), "
    "vercel/ai PR 12419 (user ids), livekit/agents PR 669 (first turn)",
    refused=(_STANDARD_CHAT | _OTHERS) - _ANTHROPIC_FIELDS,
    needs_limit=True,
    choice_needs_tools=True,
    user_length=256,
    max_temperature=1.0,
    blank_stops=False,
    blank_text=False,
    user_first=True,
    call_ids=IdRule(re.compile(rf"{WORD}+"), 64, f"toolu_{WORD}{{1,58}}", unique=True),
    name_length=128,
    tool_schemas="object",
    answer_schemas="closed",
    media_types=frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"}),
)

_MISTRAL = Dialect(
    "mistral",
    "docs.mistral.ai/resources/release-note/2024-01-11-strict-api-parameter-validation, docs.mistral.ai/api; "
    "mistral-common, MistralRequestValidatorV3 (ids, order, a last assistant's prefix); openai/openai-agents-python#442 "
    "(include_usage); OpenHands/OpenHands#8685 (empty turns)",
    fields=words(
        """model messages temperature top_p max_tokens stream stop random_seed response_format tools tool_choice
        presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode
        reasoning_effort safe_prompt metadata guardrails"""
    ),
    renamed=MappingProxyType({"seed": "random_seed"}),
    limit_field="max_tokens",
    include_usage=False,
    max_temperature=1.5,
    cache_marks=False,
    refused_message_fields=_SENT_BACK | {"name"},
    empty_turns="none",
    marks_prefill=True,
    roles=_OPENAI_ROLES,
    user_after_tool=False,
    call_ids=IdRule(re.compile(r"[a-zA-Z0-9]{9}"), 9, "[a-zA-Z0-9]{9}", "alphanumeric"),
    reasoning_content=False,
    name_length=64,
    custom_tools=False,
)

_GEMINI = Dialect(
    "gemini",
    "ai.google.dev/gemini-api/docs/openai; Alishahryar1/free-claude-code#1548 (unknown fields)",
    fields=words(
        """model messages temperature top_p max_tokens max_completion_tokens n stop stream stream_options tools
        tool_choice parallel_tool_calls response_format reasoning_effort presence_penalty frequency_penalty seed
        logprobs top_logprobs user extra_body service_tier verbosity"""
    ),
    max_temperature=2.0,
    cache_marks=False,
    reasoning_content=False,
    name_length=64,
    custom_tools=False,
)

_DEEPSEEK = Dialect(
    "deepseek",
    "api-docs.deepseek.com/api/create-chat-completion, guides/thinking_mode; earendil-works/pi#1048 (roles); "
    "vercel/ai#7924, Vizards/deepseek-v4-for-copilot#280 (tools without a schema of type object)",
    refused=frozenset({"cache_control"}),
    limit_field="max_tokens",
    max_temperature=2.0,
    max_stops=16,
    cache_marks=False,
    roles=_OPENAI_ROLES,
    call_ids=IdRule(re.compile(r".{1,40}", re.DOTALL), 40, "call_[a-zA-Z0-9_]{1,35}"),
    reasoning_content=True,
    reasoning_placeholder="",
    name_length=64,
    custom_tools=False,
    tool_schemas="object",
    no_effort=MappingProxyType({"thinking": {"type": "disabled"}}),
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": _OPENAI,
        "azure_openai": replace(_OPENAI, name="azure_openai"),
        "anthropic": _ANTHROPIC,
        "mistral": _MISTRAL,
        "gemini": _GEMINI,
        "deepseek": _DEEPSEEK,
        "ollama": Dialect(
            "ollama",
            "docs.ollama.com/api/openai-compatibility; ollama/ollama#17774 (system messages)",
            limit_field="max_tokens",
            roles=_OPENAI_ROLES,
            system_first=True,
        ),
        "groq": Dialect(
            "groq",
            "console.groq.com/docs/openai, docs/api-reference; sipeed/picoclaw PR 1196 (unknown fields)",
            fields=words(
                """model messages stream stream_options max_tokens max_completion_tokens temperature top_p stop seed
                presence_penalty frequency_penalty tools tool_choice parallel_tool_calls functions function_call
                response_format reasoning_effort reasoning_format include_reasoning user service_tier store metadata
                citation_options compound_custom disable_tool_validation documents exclude_domains include_domains
                search_settings"""
            ),
            max_temperature=2.0,
            max_stops=4,
            cache_marks=False,
            refused_message_fields=_SENT_BACK | {"name"},
            reasoning_content=False,
            name_length=64,
            custom_tools=False,
        ),
        "xai": Dialect(
            "xai",
            "docs.x.ai/developers/advanced-api-usage; BerriAI/litellm (OpenAIGPTConfig: cache marks)",
            refused=frozenset({"cache_control"}),
            max_temperature=2.0,
            cache_marks=False,
            name_length=64,
            custom_tools=False,
        ),
        "moonshotai": Dialect(
            "moonshotai",
            "platform.moonshot.ai/docs/api/chat",
            limit_field="max_tokens",
            max_temperature=1.0,
            roles=_OPENAI_ROLES,
            reasoning_content=True,
            reasoning_placeholder=" ",
            name_length=64,
            custom_tools=False,
            no_effort=MappingProxyType({"thinking": {"type": "disabled"}}),
        ),
        "zhipu": Dialect(
            "zhipu",
            "docs.bigmodel.cn/api-reference",
            limit_field="max_tokens",
            max_temperature=1.0,
            roles=_OPENAI_ROLES,
            name_length=64,
            custom_tools=False,
            no_effort=MappingProxyType({"thinking": {"type": "disabled"}}),
        ),
    }
)
"""The dialects of providers that have one, by the provider's name."""


_SIGNING_GEMINI = re.compile(r"gemini-(?:[3-9]|\d\d)")
"""The models that want a signature with each step's first call (Gemini API, "Thought signatures")."""


def find_dialect(model: Model, wire: Form, *, is_own_host: bool) -> Dialect:
    """Find what a model's provider takes.

    Args:
        model: A configured model.
        wire: The wire that is spoken to it.
        is_own_host: Whether it is served at its provider's own host.

    Returns:
        The provider's dialect. Under another name than the provider's own, unknown fields pass; elsewhere than at
        OpenAI's hosts they do too, for many compatible servers have fields of their own.
    """
    dialect = _find_provider(model, wire, is_own_host=is_own_host)
    if "gemini" not in model.model_id:
        return dialect
    signs = dialect.name == "gemini" and _SIGNING_GEMINI.search(model.model_id) is not None
    return replace(dialect, thought_signatures="needed" if signs else "taken")


def _find_provider(model: Model, wire: Form, *, is_own_host: bool) -> Dialect:
    if wire is Form.ANTHROPIC_MESSAGES:
        own = model.interface == "anthropic" == model.provider
        return _ANTHROPIC if own else replace(_ANTHROPIC, refused=frozenset())
    if wire is Form.OPENAI_RESPONSES:
        if model.interface == "chatgpt":
            return _CHATGPT
        kind = _OPENAI if model.interface in {"openai", "azure_openai"} else COMPATIBLE
        least = None if kind is COMPATIBLE else _LEAST_OUTPUT
        return replace(kind, refused=frozenset(), call_ids=_RESPONSES_IDS, least_limit=least)
    found = DIALECTS.get(model.interface)
    if found is None:
        return COMPATIBLE
    if found is _OPENAI and not is_own_host:
        lenient = replace(
            found,
            refused=frozenset(),
            refused_message_fields=frozenset(),
            cache_marks=True,
            reasoning_content=None,
        )
        return lenient if model.provider == model.interface else COMPATIBLE
    return found if model.provider == model.interface else replace(found, fields=None)
