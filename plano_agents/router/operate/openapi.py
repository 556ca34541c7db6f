"""The proxied endpoints and the probes in the OpenAPI document: described here, for FastAPI does not serve them.

A body is described by what the router reads of it. Everything else is between the client and the provider, whose
own reference describes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from plano_agents.affinity import AFFINITY_HEADER, HINT_HEADER, MAX_ID_LENGTH, SCOPE_HEADER
from plano_agents.protocol.form import Form
from plano_agents.protocol.openai_chat import ChatHead
from plano_agents.router.request.explain import EXPLAIN, Explanation
from plano_agents.router.request.label import MAX_LABEL_CHARACTERS
from plano_agents.router.request.surfaces import ENDPOINTS, Endpoint

Document = dict[str, Any]
"""A JSON object on its way into the document."""

_COMPONENTS = "#/components/schemas/{name}"
_TEXT: Document = {"type": "string"}
_NULLABLE_TEXT: Document = {"type": ["string", "null"]}

_QUESTION = "Write a function that adds two numbers."
_MESSAGES = [{"role": "user", "content": _QUESTION}]


@dataclass(frozen=True, slots=True)
class _Text:
    """The document's description of an API."""

    name: str
    """Its name."""
    head: str
    """The schema of what is read of a request."""
    error: str
    """The schema of an error."""
    example: Document
    """A request."""


_TEXTS = {
    Form.OPENAI_CHAT: _Text(
        "OpenAI chat completions", "ChatHead", "OpenAIError", {"messages": _MESSAGES, "stream": False}
    ),
    Form.ANTHROPIC_MESSAGES: _Text(
        "Anthropic messages",
        "ChatHead",
        "AnthropicError",
        {"max_tokens": 1024, "messages": _MESSAGES, "stream": False},
    ),
    Form.OPENAI_RESPONSES: _Text(
        "OpenAI responses", "ResponsesHead", "OpenAIError", {"input": _QUESTION, "stream": False}
    ),
}

_SCHEMAS: Mapping[str, Document] = {
    "OpenAIError": {
        "type": "object",
        "description": "An error in OpenAI's form.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type"],
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": _NULLABLE_TEXT,
                    "code": {"type": ["string", "integer", "null"]},
                },
            }
        },
    },
    "AnthropicError": {
        "type": "object",
        "description": "An error in Anthropic's form.",
        "required": ["type", "error"],
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {"type": _TEXT, "message": _TEXT},
            },
        },
    },
    "TokenCount": {
        "type": "object",
        "required": ["input_tokens"],
        "properties": {
            "input_tokens": {"type": "integer", "minimum": 1},
            "object": {"const": "response.input_tokens", "description": "Of OpenAI's form alone."},
        },
    },
    "RoutingDecision": {
        "type": "object",
        "description": "Which models would be asked, best first, and why.",
        "required": [
            "models",
            "route",
            "trace_id",
            "session_id",
            "pinned",
            "switched",
            "decision",
            "reason",
        ],
        "properties": {
            "models": {"type": "array", "minItems": 1, "items": _TEXT},
            "route": _NULLABLE_TEXT,
            "trace_id": _TEXT,
            "session_id": _NULLABLE_TEXT,
            "pinned": {"type": "boolean"},
            "switched": {"type": "boolean"},
            "decision": {"enum": ["none", "initialize", "retain", "detour", "switch"]},
            "reason": _NULLABLE_TEXT,
            "because": _NULLABLE_TEXT,
            "explanation": {"$ref": _COMPONENTS.format(name="Explanation")},
        },
    },
}

_PARAMETERS: list[Document] = [
    {
        "name": AFFINITY_HEADER,
        "in": "header",
        "description": "The session's id, sent once: the same id keeps the same model. Without it every request is "
        "routed afresh.",
        "schema": {"type": "string", "pattern": f"^[!-~]{{1,{MAX_ID_LENGTH}}}$"},
        "example": "checkout-review-7",
    },
    {
        "name": HINT_HEADER,
        "in": "header",
        "description": "The model that the transcript was made by; a session that is not known goes on with it.",
        "schema": _TEXT,
        "example": "openai/gpt-4o",
    },
    {
        "name": "X-Plano-Cache",
        "in": "header",
        "description": "`off` sends no key and sets no mark for the provider's prompt cache, and begins no implicit "
        "session.",
        "schema": _TEXT,
        "example": "off",
    },
    {
        "name": SCOPE_HEADER,
        "in": "header",
        "description": "How long the id keeps its model, where not as `routing.scope` says.",
        "schema": {"enum": ["session", "user_turn"]},
    },
    {
        "name": "X-Routing-Max-Switch-Spend-Pct",
        "in": "header",
        "description": "With the scope `user_turn`: how much the session's switches may cost, in percent of what its "
        "prompts would have cost without any.",
        "schema": _TEXT,
        "example": "20",
    },
    {
        "name": "X-Plano-Label",
        "in": "header",
        "description": "What the client calls the session; told to the router's operators alone.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_CHARACTERS},
        "example": "night run 7",
    },
]

_EXPLAIN_PARAMETER: Document = {
    "name": "X-Plano-Explain",
    "in": "header",
    "description": "Adds why: what was read, every preference's score, the candidates in order.",
    "schema": _TEXT,
    "example": EXPLAIN,
}

_ANSWER_HEADERS: Document = {
    name: {"description": description, "schema": _TEXT}
    for name, description in (
        (AFFINITY_HEADER, "The session's id, as it was sent."),
        ("X-Plano-Model", "The model that answered, with its provider."),
        ("X-Plano-Deployment", "Which of the model's deployments answered, where it has several."),
        ("X-Plano-Route", "The preference that the request matched, if one did."),
        (
            "X-Plano-Affinity",
            "`<decision>; reason=<reason>; …`: what was decided, why, `because` of what, and at a detour what is `pinned`.",
        ),
        (
            "X-Plano-Session",
            "Where the session's id comes from, where that is not the affinity id: `harness=<name>; lane=<lane>`.",
        ),
        ("X-Plano-Trace-Id", "The request's trace id."),
        ("Server-Timing", "How long routing and the provider took, in milliseconds."),
    )
}

_PROBES: Document = {
    "/healthz": {
        "get": {"summary": "Is the process alive?", "responses": {"200": {"description": "It is."}}},
    },
    "/readyz": {
        "get": {
            "summary": "May requests be sent here?",
            "responses": {
                "200": {"description": "They may."},
                "503": {"description": "What routing needs is being loaded."},
            },
        },
    },
}


def describe_endpoints(document: Document) -> Document:
    """Add the proxied endpoints and the probes to an OpenAPI document.

    Args:
        document: The document of what FastAPI serves.

    Returns:
        The same with the endpoints' paths and schemas.
    """
    _, heads = msgspec.json.schema_components([ChatHead, Explanation], ref_template=_COMPONENTS)
    schemas = {**heads, "ResponsesHead": _describe_responses_head(heads["ChatHead"]), **_SCHEMAS}
    components = document.get("components", {})
    return {
        **document,
        "paths": {
            **{path: {"post": _describe_endpoint(endpoint)} for path, endpoint in ENDPOINTS.items()},
            **_PROBES,
            **document["paths"],
        },
        "components": {**components, "schemas": {**components.get("schemas", {}), **schemas}},
    }


def _describe_responses_head(chat: Document) -> Document:
    """Describe what is read of a responses request: as of a chat request, with ``input`` for ``messages``."""
    shared = {name: value for name, value in chat["properties"].items() if name != "messages"}
    items = {"type": "array", "items": {"type": "object", "properties": {"role": _NULLABLE_TEXT}}}
    return {
        "type": "object",
        "title": "ResponsesHead",
        "description": chat["description"],
        "properties": {"input": {"anyOf": [_TEXT, items]}, **shared},
    }


def _describe_endpoint(endpoint: Endpoint) -> Document:
    text = _TEXTS[endpoint.surface.form]
    body = {"schema": _refer_to(text.head), "example": text.example}
    if endpoint.counts_only:
        summary = f"The number of the input's tokens, for {text.name}; where the provider does not count, an estimate"
        answers: Document = {"application/json": {"schema": _refer_to("TokenCount")}}
    elif endpoint.compacts:
        summary = f"The transcript compacted, for {text.name}; where the provider does not compact, by a summary"
        answers = {"application/json": {"schema": {"type": "object"}}}
    elif endpoint.decides_only:
        summary = f"The routing decision alone, for {text.name}"
        answers = {"application/json": {"schema": _refer_to("RoutingDecision")}}
    else:
        summary = f"{text.name}, plain and streamed"
        answers = {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}}
    errors = {"application/json": {"schema": _refer_to(text.error)}}
    return {
        "summary": summary,
        "operationId": endpoint.surface.form.value + _name_purpose(endpoint),
        "parameters": [*_PARAMETERS, _EXPLAIN_PARAMETER] if endpoint.decides_only else _PARAMETERS,
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "The answer.", "headers": _ANSWER_HEADERS, "content": answers},
            "4XX": {
                "description": "The request cannot be served as it stands, or the provider refused it.",
                "content": errors,
            },
            "5XX": {
                "description": "The provider failed, or the router has too much to do, or stops.",
                "content": errors,
            },
        },
    }


def _name_purpose(endpoint: Endpoint) -> str:
    if endpoint.compacts:
        return "_compaction"
    return "_decision" if endpoint.decides_only else "_count" if endpoint.counts_only else ""


def _refer_to(name: str) -> Document:
    return {"$ref": _COMPONENTS.format(name=name)}
