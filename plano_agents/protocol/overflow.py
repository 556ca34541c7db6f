"""Recognition of errors that say the request is too long for its model.

There is one code for it (OpenAI's ``context_length_exceeded``), which few send, and a sentence of each vendor's own.
Only the error's message, type and code are read, never what else a body repeats of the request. A 413 says so by
itself.
"""

import re

import msgspec
from msgspec import Struct

from plano_agents.protocol.decoding import BAD_JSON

_TOO_LARGE = 413
_REFUSALS = frozenset({400, 422})

_SENTENCES = (
    "context[_ ]length[_ ]exceeded",  # OpenAI, Azure, Cerebras, Groq: the code
    "exceeds the context window",  # OpenAI's responses
    "maximum context length",  # OpenAI, vLLM, SGLang, DeepSeek, Mistral, Fireworks, OpenRouter
    "input tokens exceed the configured limit",  # Azure
    "prompt is too long",  # Anthropic
    "exceed context limit",  # Anthropic: input and max_tokens together
    "exceeds the maximum number of tokens",  # Gemini
    "maximum prompt length is",  # xAI
    "longer than the model'?s context length",  # SGLang, Together
    "`inputs` tokens \\+ `max_new_tokens` must be",  # TGI
    "exceeded model token limit",  # Moonshot
    "range of input length should be",  # Qwen
    "prompt exceeds max length",  # Zhipu
    "context window exceeds limit",  # MiniMax
    "input is too long for requested model",  # Bedrock
    "exceed_context_size_error",  # llama.cpp: the type
    "exceeds the available context size",  # llama.cpp
    "greater than the context length",  # LM Studio
    "exceeded (?:max )?context length",  # Ollama
)
_SAYS_SO = re.compile("|".join(_SENTENCES), re.IGNORECASE)


class _Said(Struct, frozen=True):
    """An error, or a body that is one itself, as vLLM's and Mistral's are."""

    message: object = None
    type: object = None
    code: object = None
    error: object = None
    """The error within: an object, or xAI's sentence."""


_BODY = msgspec.json.Decoder(_Said | tuple[_Said, ...])
"""Gemini wraps its error into a list."""


def says_too_long(status: int, body: bytes) -> bool:
    """Check whether an answer says that the request is too long for the model.

    Args:
        status: The HTTP status.
        body: The answer's body.
    """
    if status == _TOO_LARGE:
        return True
    if status not in _REFUSALS:
        return False
    try:
        read = _BODY.decode(body)
    except BAD_JSON:
        return False
    return any(_matches(said) for said in (read if isinstance(read, tuple) else (read,)))


def tells_too_long(*said: object) -> bool:
    """Check whether an error's message, type or code says that the request is too long for the model."""
    return any(isinstance(text, str) and _SAYS_SO.search(text) for text in said)


def _matches(said: _Said) -> bool:
    inner = said.error
    found = [said.message, said.type, said.code, inner]
    if isinstance(inner, dict):
        found += [inner.get("message"), inner.get("type"), inner.get("code")]
    return tells_too_long(*found)
