"""The providers' rules, written from their pages for the tests: what each refuses, in its words as far as they matter.

Independent of the tables under test: nothing of ``plano_agents.providers`` is imported. Each rule names its source;
all were read on 2026-11-28.
"""

import base64
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

Body = dict[str, Any]
Check = Callable[[Body], None]


class RefusedError(Exception):
    """A provider's 4xx."""


def refuse(message: str) -> None:
    raise RefusedError(message)


def blocks_of(message: Body) -> list[Body]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


# Anthropic


def read_version(model: str) -> tuple[int, int]:
    """The version of a Claude by its id; a date is none."""
    found = re.search(r"claude-(?:[a-z]+-)?(\d)(?:-(\d)(?!\d))?", model)
    assert found is not None
    return int(found[1]), int(found[2] or 0)


def check_claude_fields(body: Body) -> None:
    """platform.claude.com, Messages API: unknown fields are refused, max_tokens is required."""
    taken = {
        *(
            "model",
            "max_tokens",
            "messages",
            "system",
            "stream",
            "temperature",
            "top_p",
            "top_k",
            "stop_sequences",
        ),
        *(
            "tools",
            "tool_choice",
            "thinking",
            "metadata",
            "service_tier",
            "container",
            "mcp_servers",
            "speed",
        ),
        *(
            "context_management",
            "output_config",
            "output_format",
            "cache_control",
            "inference_geo",
            "diagnostics",
        ),
    }
    for name in body.keys() - taken:
        refuse(f"{name}: Extra inputs are not permitted")
    if not isinstance(body.get("max_tokens"), int):
        refuse("max_tokens: Field required")


def check_claude_calls(body: Body) -> None:
    """platform.claude.com, tool use: ids match a pattern, are unique, and are answered in the next turn by it alone."""
    seen: set[str] = set()
    waiting: set[str] = set()
    for message in body["messages"]:
        blocks = blocks_of(message)
        answered = {block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"}
        if waiting != answered:
            refuse(f"tool_use ids {waiting} and tool_result ids {answered} differ")
        waiting = set()
        for block in blocks:
            if block.get("type") == "tool_use":
                if not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]) or block["id"] in seen:
                    refuse(f"{block['id']!r} is a bad id or a second one")
                seen.add(block["id"])
                waiting.add(block["id"])


def check_claude_text(body: Body) -> None:
    """anomalyco/opencode#31259, anthropics/claude-code#23440: text is more than white space."""
    system = body.get("system")
    for place in (*body["messages"], {"content": system if isinstance(system, list) else []}):
        for block in blocks_of(place):
            if block.get("type") == "text" and not block["text"].strip():
                refuse("text content blocks must contain non-whitespace text")


def check_claude_turns(body: Body) -> None:
    """livekit/agents PR 669: the user begins; migration guide: no prefill; mid-conversation system messages."""
    roles = [message["role"] for message in body["messages"]]
    if not roles or roles[0] != "user":
        refuse('first message must use the "user" role')
    version = read_version(body["model"])
    if roles[-1] == "assistant" and version >= (4, 6):
        refuse("This model does not support assistant message prefill.")
    for message in body["messages"]:
        if message["role"] != "system" and message.keys() - {"role", "content"}:
            refuse("Extra inputs are not permitted: BetaSystemMessageParam alone has more")
    for before, role in pairwise(roles):
        takes = version >= (4, 8) and not re.search("sonnet-5(?!-5)", body["model"])
        if role == "system" and (before == "assistant" or not takes):
            refuse("role 'system' is not supported here")
        if role == "user" and before == "system":
            refuse("role 'system' must precede an 'assistant' message or end the array")
    for message in body["messages"]:
        kinds = {block.get("type") for block in blocks_of(message)}
        if message["role"] != "system" and kinds & {"tool_addition", "tool_removal"}:
            refuse("changes of tools stand in system messages alone")


def check_claude_sampling(body: Body) -> None:
    """router-for-me/CLIProxyAPI#193: one of temperature and top_p from 4.1 on; new in Claude 4.7: defaults alone."""
    model = body["model"]
    both = "temperature" in body and "top_p" in body
    version = read_version(model)
    if both and version >= (4, 1):
        refuse("temperature and top_p cannot both be specified")
    if "temperature" in body and not 0 <= body["temperature"] <= 1:
        refuse("temperature: range 0 to 1")
    if version >= (4, 7) and {"temperature", "top_p", "top_k"} & body.keys():
        refuse("sampling parameters are not supported")


def check_claude_thinking(body: Body) -> None:
    """platform.claude.com, extended thinking and effort."""
    model, thinking = body["model"], body.get("thinking") or {}
    effort = (body.get("output_config") or {}).get("effort")
    version = read_version(model)
    takes_effort = "opus-4-5" in model or version >= (4, 6)
    if effort is not None and (not takes_effort or effort not in {"low", "medium", "high", "xhigh", "max"}):
        refuse("This model does not support the effort parameter.")
    if (effort in {"xhigh", "max"} and "opus-4-5" in model) or (effort == "xhigh" and version == (4, 6)):
        refuse("This effort is not supported")
    if thinking.get("type") == "enabled":
        if version >= (4, 7) or version < (3, 7):
            refuse("thinking.type enabled is not supported")
        if not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
            refuse("max_tokens must be greater than thinking.budget_tokens")
        if body.get("temperature", 1) != 1:
            refuse("temperature may only be set to 1 when thinking is enabled")
    if thinking.get("type") == "adaptive" and version < (4, 6):
        refuse("adaptive thinking is not supported")
    check_claude_thinking_off(model, thinking.get("type"), effort)
    if thinking.get("display") == "updates" and not re.search(
        "(opus|sonnet|haiku)-5-5|fable-5-[12]|(fable|mythos)-5", model
    ):
        refuse("thinking.adaptive.display: Input should be 'summarized', 'omitted'")
    choice = (body.get("tool_choice") or {}).get("type")
    if choice in {"any", "tool"} and re.search("(opus|sonnet)-5-5|fable-5-[12]", model):
        refuse("forced tool use is not supported")


def check_claude_thinking_off(model: str, kind: str | None, effort: str | None) -> None:
    """Pages of Claude Opus 5.5 and Sonnet 5.5; migration guide of Claude Fable 5; apiyi's guide (Haiku 5.5)."""
    if kind not in {"disabled", "between_tools"}:
        return
    if (kind == "between_tools") != ("sonnet-5-5" in model) or re.search("opus-5-5|fable-5|mythos-5", model):
        refuse(f"thinking.type.{kind} is not supported for this model")
    if effort in {"xhigh", "max"} and re.search("opus-5|(sonnet|haiku)-5-5", model):
        refuse("this effort goes with thinking alone")


def check_claude_turn_efforts(body: Body) -> None:
    """platform.claude.com, per-message effort: system turns alone set one, of the models named there."""
    takes = re.search(r"claude-((fable|mythos)-5-[12]|opus-5|sonnet-5-5|haiku-5-5)", body["model"])
    for message in body["messages"]:
        if "output_config" in message and (message["role"] != "system" or not takes):
            refuse("output_config: Extra inputs are not permitted")


def check_claude_limit(body: Body) -> None:
    """platform.claude.com, models overview: the most output tokens."""
    limits = (
        *(((3, 6), 8_192), ((3, 9), 64_000), ((4, 1), 32_000 if "opus" in body["model"] else 64_000)),
        *(((4, 5), 64_000), ((9, 9), 128_000)),
    )
    most = next(limit for last, limit in limits if read_version(body["model"]) <= last)
    if body["max_tokens"] > most:
        refuse(f"max_tokens: {body['max_tokens']} > {most}")


def check_claude_tools(body: Body) -> None:
    """platform.claude.com, tool use: schemas are objects without alternatives at the top; names of 128 characters."""
    for tool in body.get("tools") or ():
        if tool.get("type", "custom") != "custom":
            continue
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            refuse("input_schema.type: Field required")
        if {"anyOf", "oneOf", "allOf"} & schema.keys():
            refuse("input_schema does not support oneOf, allOf, or anyOf at the top level")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
            refuse("name: String should match pattern")
        if tool.get("strict"):
            check_closed(schema)


def check_claude_answer(body: Body) -> None:
    """platform.claude.com, structured outputs, "JSON Schema limitations"."""
    form = (body.get("output_config") or {}).get("format")
    if form:
        check_closed(form["schema"])


def walk(schema: object) -> Iterator[Body]:
    """All schemas within one."""
    if isinstance(schema, list):
        for each in schema:
            yield from walk(each)
    elif isinstance(schema, dict):
        yield schema
        for name, value in schema.items():
            inner = value.values() if name in {"properties", "$defs"} and isinstance(value, dict) else [value]
            for each in inner:
                yield from walk(each)


def check_closed(schema: object) -> None:
    bounds = {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
    }
    for part in walk(schema):
        if part.get("type") == "object" and part.get("additionalProperties") is not False:
            refuse("'additionalProperties' must be explicitly set to false")
        if bounds & part.keys() and isinstance(part.get("type"), str):
            refuse("bounds are not supported")


def check_claude_images(body: Body) -> None:
    """platform.claude.com, vision: four types, and the bytes are of the type named."""
    kinds = {
        b"\x89PNG": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"RIFF": "image/webp",
    }
    for message in body["messages"]:
        for block in blocks_of(message):
            source = block.get("source") or {}
            if block.get("type") != "image" or source.get("type") != "base64":
                continue
            data = base64.b64decode(source["data"])
            real = next((kind for magic, kind in kinds.items() if data.startswith(magic)), source["media_type"])
            if real != source["media_type"] or source["media_type"] not in kinds.values():
                refuse("the image is of another media type")


def check_claude_rest(body: Body) -> None:
    """BerriAI/litellm#3286: stop sequences; vercel/ai PR 12419: metadata.user_id has 256 characters at most."""
    if any(not stop.strip() for stop in body.get("stop_sequences") or ()):
        refuse("each stop sequence must contain non-whitespace")
    if len((body.get("metadata") or {}).get("user_id") or "") > 256:
        refuse("metadata.user_id: at most 256 characters")


# OpenAI


def is_reasoning(model: str) -> bool:
    return re.match(r"(o\d|codex|gpt-[5-9])(?!.*chat)", model) is not None


def check_gpt_limit(body: Body) -> None:
    """platform.openai.com, models: the most output; reasoning models take max_completion_tokens."""
    limits = {
        "gpt-4-32k": 32_768,
        "gpt-3.5": 4_096,
        "gpt-4o": 16_384,
        "gpt-4.1": 32_768,
        "gpt-4-": 4_096,
        "gpt-5-pro": 272_000,
        "gpt-5-chat": 16_384,
        "gpt-5": 128_000,
        "o1-": 1_000_000,
        "o1": 100_000,
        "o3": 100_000,
        "o4": 100_000,
    }
    most = next((limit for name, limit in limits.items() if body["model"].startswith(name)), None)
    if is_reasoning(body["model"]) and body.get("max_tokens") is not None:
        refuse("Unsupported parameter: 'max_tokens'")
    for name in ("max_tokens", "max_completion_tokens"):
        if most is not None and (body.get(name) or 0) > most:
            refuse(f"{name} is too large")


def check_gpt_strings(body: Body) -> None:
    """OpenAI's OpenAPI document (safety_identifier, maxLength 64); maximhq/bifrost PR 1000."""
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        if len(body.get(name) or "") > 64:
            refuse(f"Invalid '{name}': string too long")


def check_names(body: Body) -> None:
    """OpenAI's API reference, FunctionObject.name."""
    names = [tool["function"]["name"] for tool in body.get("tools") or ()]
    names += [call["function"]["name"] for each in body["messages"] for call in each.get("tool_calls") or ()]
    choice = body.get("tool_choice")
    names += [choice["function"]["name"]] if isinstance(choice, dict) and "function" in choice else []
    for name in names:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            refuse(f"Invalid name {name!r}")


def check_calls(longest: int) -> Check:
    """OpenAI's 400 ``string_above_max_length``, and: each call is answered by tool messages right after it."""

    def check(body: Body) -> None:
        waiting: set[str] = set()
        for message in body["messages"]:
            if message["role"] == "tool":
                if message["tool_call_id"] not in waiting:
                    refuse("a tool message must be a response to a preceding message with 'tool_calls'")
                waiting.discard(message["tool_call_id"])
                continue
            if waiting:
                refuse("tool_call_ids did not have response messages")
            for call in message.get("tool_calls") or ():
                if not 0 < len(call["id"]) <= longest:
                    refuse("Invalid id: string too long")
                waiting.add(call["id"])

    return check


def check_gpt_schemas(body: Body) -> None:
    """platform.openai.com, structured outputs."""
    strict = [tool["function"].get("parameters") for tool in body.get("tools") or () if tool["function"].get("strict")]
    wanted = (body.get("response_format") or {}).get("json_schema") or {}
    strict += [wanted.get("schema")] if wanted.get("strict") else []
    for part in walk(strict):
        if part.get("type") == "object" and (
            part.get("additionalProperties") is not False
            or set(part.get("required") or ()) != set(part.get("properties") or ())
        ):
            refuse("Invalid schema")


def check_functions(body: Body) -> None:
    """langchain-ai/langchainjs#9804 (OpenAI), vercel/ai#7924 (DeepSeek): an object without alternatives at its top."""
    for tool in body.get("tools") or ():
        schema = tool["function"].get("parameters")
        if schema is None:
            continue
        if schema.get("type") != "object" or {"anyOf", "oneOf", "allOf", "enum", "not"} & schema.keys():
            refuse("schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level")
        if "properties" not in schema:
            refuse("object schema missing properties")


def check_functions_are_described(body: Body) -> None:
    """Vizards/deepseek-v4-for-copilot#280: each function has parameters."""
    for tool in body.get("tools") or ():
        if tool["function"].get("parameters") is None:
            refuse("parameters must be valid JSON")


def check_gpt_values(body: Body) -> None:
    """OpenAI's API reference: stop, temperature; BerriAI/litellm PR 33738; reasoning guide: efforts."""
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        refuse("Invalid 'stop': array too long")
    if not 0 <= (body.get("temperature") or 0) <= 2:
        refuse("temperature: range 0 to 2")
    if is_reasoning(body["model"]):
        if stop:
            refuse("Unsupported parameter: 'stop'")
        if any(body.get(name) not in {None, 1} for name in ("temperature", "top_p")):
            refuse("Only the default (1) value is supported.")
        if body.get("logprobs") or any(body.get(name) for name in ("presence_penalty", "frequency_penalty")):
            refuse("Unsupported parameter")
    check_gpt_effort(body["model"], body.get("reasoning_effort"))


def check_gpt_tools(body: Body) -> None:
    """No tools beside reasoning on chat completions; but for 5.4, these models reason unless they are told not to.

    openai/openai-openapi#541 (5.4), charmbracelet/crush#2913 (5.5), BerriAI/litellm PR 34569 (5.6), bolna-ai/bolna PR
    1019 (6).
    """
    version = re.match(r"gpt-(\d+)(?:\.(\d+))?(?!.*chat)", body["model"])
    if version is None or not body.get("tools"):
        return
    number = (int(version[1]), int(version[2] or 0))
    unsaid = "none" if number < (5, 5) else "medium"
    if number >= (5, 4) and (body.get("reasoning_effort") or unsaid) != "none":
        refuse(f"Function tools with reasoning_effort are not supported for {body['model']} in /v1/chat/completions.")


def check_gpt_effort(model: str, effort: str | None) -> None:
    """platform.openai.com, reasoning guide; models that it does not name are judged where they do not reason."""
    named = {
        "gpt-5": {"minimal", "low", "medium", "high"},
        "gpt-5.1": {"none", "low", "medium", "high"},
        "gpt-5-pro": {"high"},
        "gpt-5.5": {"none", "low", "medium", "high", "xhigh"},
        "gpt-6": {"low", "medium", "high", "xhigh", "max"},
    }
    if re.fullmatch(r"o1|o3|o3-mini|o4-mini", model):
        named[model] = {"low", "medium", "high"}
    if re.match(r"gpt-5\.\d-chat", model):  # egoist/chatwise-releases#1257
        named[model] = {"medium"}
    taken = named.get(model, None if is_reasoning(model) else set[str]())
    if effort is not None and taken is not None and effort not in taken:
        refuse("Unsupported value: 'reasoning_effort'")


# OpenAI's responses


def check_responses(body: Body) -> None:
    """OpenAI's OpenAPI document, CreateResponse: names, call ids and users of 64 characters, the model's limits."""
    model = body["model"]
    for name in ("user", "safety_identifier", "prompt_cache_key"):
        if len(body.get(name) or "") > 64:
            refuse(f"Invalid '{name}': string too long")
    items = body["input"] if isinstance(body["input"], list) else []
    names = [tool["name"] for tool in body.get("tools") or () if tool["type"] == "function"]
    names += [item["name"] for item in items if item.get("type") == "function_call"]
    for name in names:
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            refuse(f"Invalid name {name!r}")
    called: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            called.add(item["call_id"])
        if not 0 < len(item.get("call_id", "c")) <= 64:
            refuse("Invalid 'call_id': string too long")
        if item.get("type") == "function_call_output" and item["call_id"] not in called:
            refuse("No tool call found for function call output")
    check_gpt_limit({"model": model, "max_completion_tokens": body.get("max_output_tokens")})
    check_gpt_effort(model, (body.get("reasoning") or {}).get("effort"))
    if is_reasoning(model) and any(body.get(name) not in {None, 1} for name in ("temperature", "top_p")):
        refuse("Unsupported parameter")


def check_responses_items(body: Body) -> None:
    """OpenAI's OpenAPI document, InputItem: what stands in which item; microsoft/agent-framework#7483: include."""
    if not is_reasoning(body["model"]) and "reasoning.encrypted_content" in (body.get("include") or ()):
        refuse("Encrypted content is not supported with this model.")
    for name in ("messages", "max_tokens", "stop", "reasoning_effort", "response_format", "thinking", "stream_options"):
        if name in body:
            refuse(f"Unsupported parameter: {name!r}")
    for item in body["input"] if isinstance(body["input"], list) else []:
        if item.get("type", "message") not in RESPONSES_ITEMS:
            refuse(f"Invalid value: {item.get('type')!r}")
        content = item.get("content") if item.get("type", "message") == "message" else item.get("output")
        taken = (
            {"output_text", "refusal"}
            if item.get("role") == "assistant"
            else {"input_text", "input_image", "input_file"}
        )
        for part in content if isinstance(content, list) else []:
            if part["type"] not in taken:
                refuse(f"Invalid value: {part['type']!r}")
    if (body.get("max_output_tokens") or 16) < 16:
        refuse("Invalid 'max_output_tokens': integer below minimum value.")


RESPONSES_ITEMS = {
    *("message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"),
    *("tool_search_call", "tool_search_output", "local_shell_call", "local_shell_call_output", "additional_tools"),
    *("web_search_call", "compaction", "compaction_trigger", "item_reference"),
}


def check_responses_schemas(body: Body) -> None:
    """platform.openai.com, structured outputs; langchain-ai/langchainjs#9804."""
    tools = [{"function": tool} for tool in body.get("tools") or () if tool["type"] == "function"]
    wanted = (body.get("text") or {}).get("format") or {}
    form = {"json_schema": wanted} if wanted.get("type") == "json_schema" else None
    check_functions({"tools": tools})
    check_gpt_schemas({"tools": tools, "response_format": form})


# Others


def check_fields(taken: str) -> Check:
    """Refuse every other field."""

    def check(body: Body) -> None:
        for name in body.keys() - set(taken.split()):
            refuse(f"Extra inputs are not permitted: {name}")

    return check


def check_roles(body: Body) -> None:
    """api-docs.deepseek.com, docs.mistral.ai: four roles."""
    for message in body["messages"]:
        if message["role"] not in {"system", "user", "assistant", "tool"}:
            refuse(f"unknown variant {message['role']!r}")


def check_system_first(body: Body) -> None:
    """QwenLM/Qwen3.8#186, ollama/ollama#17774."""
    for number, message in enumerate(body["messages"]):
        if number and message["role"] in {"system", "developer"} and body["messages"][number - 1]["role"] != "system":
            refuse("System message must be at the beginning.")


def check_warmth(most: float) -> Check:
    """platform.moonshot.ai, docs.bigmodel.cn: temperatures from 0 to 1; docs.x.ai, console.groq.com: to 2."""

    def check(body: Body) -> None:
        if not 0 <= (body.get("temperature") or 0) <= most:
            refuse(f"temperature: range 0 to {most}")

    return check


def check_reasoning_is_kept(body: Body) -> None:
    """platform.moonshot.ai, thinking models; api-docs.deepseek.com, thinking mode: calls come with their reasoning."""
    for message in body["messages"]:
        if message.get("tool_calls") and message.get("reasoning_content") is None:
            refuse("reasoning_content is missing in assistant tool call message")


def check_grok(body: Body) -> None:
    """docs.x.ai, reasoning: which models take an effort; no stop sequences with Grok 4."""
    model, effort = body["model"], body.get("reasoning_effort")
    if effort is not None and re.fullmatch(r"grok-(4|4-fast|4-1-fast|code-fast)", model):
        refuse("Model does not support parameter reasoningEffort")
    if effort is not None and model == "grok-4.5" and effort not in {"low", "medium", "high"}:
        refuse("reasoning_effort")
    if body.get("stop") and model == "grok-4":
        refuse("stop is not supported by reasoning models")


def check_groq(body: Body) -> None:
    """console.groq.com/docs/openai: fields that are a 400; messages have no name."""
    for name in ("logprobs", "logit_bias", "top_logprobs", "prompt_cache_key"):
        if name in body:
            refuse(f"property {name!r} is unsupported")
    if body.get("n", 1) != 1 or any("name" in message for message in body["messages"]):
        refuse("property is unsupported")


def check_mistral(body: Body) -> None:
    """mistral-common, MistralRequestValidatorV3 and _validate_message_order."""
    before = None
    for message in body["messages"]:
        if before == "tool" and message["role"] not in {"tool", "assistant"}:
            refuse("Unexpected role after role 'tool'")
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        ids += [message["tool_call_id"]] if message["role"] == "tool" else []
        if any(not re.fullmatch(r"[a-zA-Z0-9]{9}", each) for each in ids):
            refuse("Tool call id must be a-z, A-Z, 0-9, with a length of 9")
        before = message["role"]


CLAUDE: tuple[Check, ...] = (
    *(check_claude_fields, check_claude_calls, check_claude_text, check_claude_turns, check_claude_sampling),
    *(
        check_claude_thinking,
        check_claude_turn_efforts,
        check_claude_limit,
        check_claude_tools,
        check_claude_answer,
        check_claude_images,
    ),
    check_claude_rest,
)
GPT: tuple[Check, ...] = (
    check_gpt_limit,
    check_gpt_strings,
    check_names,
    check_calls(40),
    check_functions,
    check_gpt_schemas,
    check_gpt_values,
    check_gpt_tools,
)
MISTRAL: tuple[Check, ...] = (
    check_fields(
        "model messages temperature top_p max_tokens stream stop random_seed response_format tools tool_choice "
        "presence_penalty frequency_penalty n prediction parallel_tool_calls prompt_mode reasoning_effort "
        "prompt_cache_key safe_prompt metadata guardrails"
    ),
    *(check_roles, check_mistral, check_names),
)
GEMINI: tuple[Check, ...] = (
    check_fields(
        "model messages temperature top_p max_tokens max_completion_tokens n stop stream stream_options tools "
        "tool_choice parallel_tool_calls response_format reasoning_effort presence_penalty frequency_penalty seed "
        "logprobs top_logprobs user extra_body service_tier verbosity"
    ),
    check_names,
)
DEEPSEEK: tuple[Check, ...] = (
    check_roles,
    check_names,
    check_calls(40),
    check_functions,
    check_functions_are_described,
    check_reasoning_is_kept,
)
OLLAMA: tuple[Check, ...] = (check_roles, check_system_first)
KIMI: tuple[Check, ...] = (check_roles, check_names, check_warmth(1.0), check_reasoning_is_kept)
ZHIPU: tuple[Check, ...] = (check_roles, check_names, check_warmth(1.0))
XAI: tuple[Check, ...] = (check_names, check_warmth(2.0), check_grok)
GROQ: tuple[Check, ...] = (check_groq, check_names, check_warmth(2.0))
RESPONSES: tuple[Check, ...] = (check_responses, check_responses_items, check_responses_schemas)
"""OpenAI's rules on its responses wire."""

TARGETS: dict[str, tuple[Check, ...]] = {
    **{
        f"anthropic/{name}": CLAUDE
        for name in (
            *(
                "claude-3-5-haiku-20241022",
                "claude-opus-4-1",
                "claude-opus-4-5",
                "claude-haiku-4-5",
                "claude-sonnet-4-6",
                "claude-opus-4-7",
            ),
            *("claude-opus-4-8", "claude-sonnet-5", "claude-fable-5"),
        )
    },
    **{f"openai/{name}": GPT for name in ("gpt-4o", "gpt-4.1", "gpt-5", "gpt-5.5", "gpt-6", "o3")},
    "mistral/mistral-large-latest": MISTRAL,
    "gemini/gemini-3.5-flash": GEMINI,
    "deepseek/deepseek-v4-flash": DEEPSEEK,
    "ollama/qwen3.8": OLLAMA,
}
"""The targets of the tests, with what their providers refuse."""


PROVIDERS: dict[str, tuple[Check, ...]] = {
    "anthropic": CLAUDE,
    "openai": GPT,
    "mistral": MISTRAL,
    "gemini": GEMINI,
    "deepseek": DEEPSEEK,
    "ollama": OLLAMA,
    "moonshotai": KIMI,
    "zhipu": ZHIPU,
    "xai": XAI,
    "groq": GROQ,
}
"""The rules of each provider, whichever its model."""


def check(target: str, body: Body) -> None:
    """Refuse what a target's provider refuses, on the wire that the body is of."""
    provider = target.partition("/")[0]
    own_responses = RESPONSES if provider == "openai" else ()
    for rule in own_responses if "input" in body else PROVIDERS[provider]:
        rule(body)
