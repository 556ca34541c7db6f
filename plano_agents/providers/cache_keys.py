"""Providers that find a session's cached prompts by a key: where each takes it, and who says so.

A prompt cache lives on some of a provider's machines, and requests of one key are sent to the same ones. Rows go by the
host that is asked, so a compatible server of another host never gets a field that it may refuse. Azure has none: its
gateway documents ``prompt_cache_key`` and answers 400 to it for models that are not OpenAI's
(vectorize-io/hindsight#3518, zed-industries/zed#52000). All were read on 2026-11-29.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from msgspec import Struct

from plano_agents.protocol.form import Form

CHAT, RESPONSES = Form.OPENAI_CHAT, Form.OPENAI_RESPONSES

_NOWHERE: Mapping[Form, str] = MappingProxyType({})


class Caching(Struct, frozen=True):
    """The help for a request's cache at its provider: a key and marks; a struct, for many requests have one."""

    field: tuple[str, object] | None = None
    """The field of the body that holds the session's key, and the key; set where the request has none."""
    headers: Mapping[str, str] = MappingProxyType({})
    """The header that holds it; the client's own, and the operator's, stand above it."""
    sets_marks: bool = False
    """True if marks are set for Anthropic's cache, where the target takes them and the request has none."""


UNAIDED = Caching()
"""Nothing is done for a request's caching."""


@dataclass(frozen=True, slots=True)
class CacheKeyPlace:
    """The place of the key in a provider's requests; it takes 32 characters at least."""

    source: str
    """The pages that say so."""
    fields: Mapping[Form, str] = field(default_factory=lambda: _NOWHERE)
    """The field of the body that holds it, by wire."""
    headers: Mapping[Form, str] = field(default_factory=lambda: _NOWHERE)
    """The header that does, in lower case, by wire."""


def _in_body(source: str, *wires: Form) -> CacheKeyPlace:
    return CacheKeyPlace(source, fields=MappingProxyType(dict.fromkeys(wires, "prompt_cache_key")))


def _in_header(source: str, name: str) -> CacheKeyPlace:
    return CacheKeyPlace(source, headers=MappingProxyType(dict.fromkeys(Form, name)))


CACHE_KEYS: Mapping[str, CacheKeyPlace] = MappingProxyType(
    {
        "api.openai.com": _in_body(
            "developers.openai.com/api/docs/guides/prompt-caching; 64 characters at most: OpenAI's 400 "
            "string_above_max_length (vybestack/llxprt-code#2135)",
            CHAT,
            RESPONSES,
        ),
        "chatgpt.com": _in_body("openai/codex, which sends its own to this backend", RESPONSES),
        "api.x.ai": CacheKeyPlace(
            "docs.x.ai/developers/advanced-api-usage/prompt-caching/maximizing-cache-hits",
            fields=MappingProxyType({RESPONSES: "prompt_cache_key"}),
            headers=MappingProxyType({CHAT: "x-grok-conv-id"}),
        ),
        "api.mistral.ai": _in_body("docs.mistral.ai/studio-api/conversations/advanced/prompt-caching", CHAT),
        "api.moonshot.ai": _in_body("platform.moonshot.ai/docs/api/chat", CHAT),
        "api.kimi.com": _in_body("platform.moonshot.ai/docs/api/chat (asked for by the Kimi Code plan)", CHAT),
        "api.deepinfra.com": _in_body("docs.deepinfra.com/chat/prompt-caching", CHAT),
        "openrouter.ai": _in_header(
            "openrouter.ai/docs, ChatGenerationParams.sessionId: a `session_id` of the body comes before the header",
            "x-session-id",
        ),
        "api.fireworks.ai": _in_header("docs.fireworks.ai/guides/prompt-caching", "x-session-affinity"),
        "api.cloudflare.com": _in_header(
            "developers.cloudflare.com/workers-ai/features/prompt-caching", "x-session-affinity"
        ),
    }
)
"""The rows, by host; each holds for the hosts below it too, such as a region's."""


def build_cache_key_place(name: str) -> CacheKeyPlace:
    """Build the place that the configuration names: a header, or, without a hyphen, a field of the body."""
    if "-" in name:
        return _in_header("the configuration", name.lower())
    return CacheKeyPlace("the configuration", fields=MappingProxyType(dict.fromkeys((CHAT, RESPONSES), name)))


def find_cache_key_place(address: str) -> CacheKeyPlace | None:
    """Find where a provider takes a session's key.

    Args:
        address: What is asked; a URL.

    Returns:
        The place; None where none is known.
    """
    host = urlsplit(address).hostname or ""
    return next((place for name, place in CACHE_KEYS.items() if host == name or host.endswith(f".{name}")), None)
