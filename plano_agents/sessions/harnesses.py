"""The table of agent harnesses: how each shows itself in a request, and where it puts its session's id.

A row holds only where the request shows the harness: by a header of its own name, by its user agent, or by what else no
other client sends. A generic name alone (``session_id``, ``prompt_cache_key``) shows nothing, so a plain SDK's requests
are of no session. Rows are read from the harnesses' sources:

=============  ================================================================================================
harness        source
=============  ================================================================================================
claude-code    code.claude.com/docs/en/llm-gateway-protocol, "Request headers"; ``metadata.user_id`` is
               ``user_…_account_…_session_<id>`` up to 2.1.77, from then on JSON with ``session_id``
codex          openai/codex, ``codex-rs/core/src/responses_metadata.rs`` and ``codex-api/src/requests/headers.rs``
opencode       sst/opencode, ``packages/opencode/src/session/llm/request.ts``
kilo           Kilo-Org/kilocode, the same path, and ``installation/index.ts``: ``kilo/<channel>/<version>/<client>``
mistral-vibe   mistralai/mistral-vibe, ``_get_extra_headers`` of its agent loop, ``get_user_agent``
qwen-code      QwenLM/qwen-code, ``openaiResponsesContentGenerator/responses-pipeline.ts``: a prompt's id, which is
               ``<session>########<number of the prompt>``; on the other surfaces it sends none
pi             badlogic/pi-mono, ``packages/ai``: ``createClient`` sends ``session-id`` (``session_id`` before 1.0)
               and repeats it as ``x-client-request-id``; on chat completions and messages it sends an id only
               where its ``sessionAffinityFormat`` is set
=============  ================================================================================================

What a session's lanes are is left to `lanes`.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from plano_agents.affinity import MAX_ID_LENGTH
from plano_agents.protocol.decoding import BAD_JSON

_PRODUCT = re.compile(r"(.{1,60}?)(?:/(?:v?[0-9]|unknown|local|dev)| \(|$)")
"""A user agent's first product, which may have spaces and slashes in its name, up to its version."""
_ID = re.compile(f"[!-~]{{1,{MAX_ID_LENGTH}}}")
_USER_ID = re.compile(r".*_session_(.+)", re.DOTALL)
_PROMPT_ID = re.compile(r"(.+)########[0-9]+")


class _Metadata(msgspec.Struct, frozen=True):
    user_id: str | None = None


class _UserId(msgspec.Struct, frozen=True):
    session_id: str | None = None


_METADATA = msgspec.json.Decoder(_Metadata)
_USER_ID_JSON = msgspec.json.Decoder(_UserId)
_TEXT = msgspec.json.Decoder(str)


def _read_user_id(metadata: msgspec.Raw) -> str | None:
    """Take the session out of Claude Code's ``metadata.user_id``, in both its forms."""
    user_id = _METADATA.decode(metadata).user_id or ""
    if user_id.startswith("{"):
        return _USER_ID_JSON.decode(user_id).session_id
    found = _USER_ID.fullmatch(user_id)
    return found[1] if found is not None else None


def _read_prompt_id(key: msgspec.Raw) -> str:
    """Take the session out of a ``prompt_cache_key`` that may be a prompt's id."""
    text = _TEXT.decode(key)
    found = _PROMPT_ID.fullmatch(text)
    return found[1] if found is not None else text


class Field(NamedTuple):
    """A field of the body that holds a session's id."""

    name: str
    """The top-level field."""
    read: Callable[[msgspec.Raw], str | None]
    """Takes the id out of its value; None where there is none."""
    sign: bytes | None = None
    """What its value holds of no other client; None where another could send the like."""


class Harness(NamedTuple):
    """A row: a harness, and how its requests name their session."""

    name: str
    """As it is told, and what its sessions' keys begin with."""
    agents: frozenset[str]
    """The products of its user agents, in lower case, without a version."""
    signs: frozenset[str] = frozenset()
    """Headers of its own name."""
    ids: tuple[str, ...] = ()
    """The headers that may hold the session's id; the first that is there counts."""
    field: Field | None = None
    """The field of the body that holds it, where no header does."""
    agent: str | None = None
    """The header that holds a sub-agent's id within the session."""
    parent: str | None = None
    """The header in which a sub-agent, whose id is one of its own, names the session that it works for."""
    echo: str | None = None
    """The header that repeats the id; where it does, it shows the harness."""


HARNESSES = (
    Harness(
        "claude-code",
        frozenset({"claude-cli", "claude-code"}),
        frozenset({"x-claude-code-session-id"}),
        ("x-claude-code-session-id",),
        Field("metadata", _read_user_id),
        agent="x-claude-code-agent-id",
    ),
    Harness(
        "codex",
        frozenset({"codex_cli_rs", "codex-tui", "codex_exec", "codex_vscode", "codex desktop"}),
        frozenset({"x-codex-window-id", "x-codex-turn-metadata", "x-codex-turn-state"}),
        ("thread-id", "session-id", "session_id"),
        parent="x-codex-parent-thread-id",
    ),
    Harness(
        "opencode",
        frozenset({"opencode"}),
        ids=("x-session-affinity", "x-session-id"),
        parent="x-parent-session-id",
    ),
    Harness(
        "kilo",
        frozenset({"kilo-code", "kilo"}),
        ids=("x-session-affinity", "x-session-id"),
        parent="x-parent-session-id",
    ),
    Harness(
        "mistral-vibe",
        frozenset({"mistral-vibe", "mistral-client-python/mistral-vibe"}),
        ids=("x-affinity",),
    ),
    Harness(
        "qwen-code",
        frozenset({"qwencode"}),
        field=Field("prompt_cache_key", _read_prompt_id, b"########"),
    ),
    Harness(
        "pi",
        frozenset({"pi"}),
        ids=("session-id", "session_id", "x-session-affinity", "x-session-id"),
        echo="x-client-request-id",
    ),
)
"""The rows; a request is of the first that it shows."""

_BY_AGENT: Mapping[str, Harness] = MappingProxyType({name: row for row in HARNESSES for name in row.agents})
_BY_SIGN: Mapping[str, Harness] = MappingProxyType({name: row for row in HARNESSES for name in row.signs})
_BY_ECHO: tuple[tuple[str, Harness], ...] = tuple((row.echo, row) for row in HARNESSES if row.echo is not None)
_BY_FIELD: tuple[tuple[str, bytes, Harness], ...] = tuple(
    (row.field.name, row.field.sign, row) for row in HARNESSES if row.field is not None and row.field.sign is not None
)

NAMED_LANES: Mapping[str, str] = MappingProxyType(
    {name: row.agent for row in HARNESSES if row.agent is not None for name in row.signs & set(row.ids)}
)
"""A harness' own session header to the one that names a sub-agent beside it."""


class Shown(NamedTuple):
    """The session and agent that a harness names in a request."""

    harness: str
    """The harness' name."""
    session: str
    """The session's id; of a sub-agent's request that of the session that it works for."""
    agent: str | None
    """The sub-agent's id within the session; None for the agent that the user talks to."""


def recognise(headers: Mapping[str, str], fields: Mapping[str, msgspec.Raw]) -> Shown | None:
    """Recognise a harness' request.

    Args:
        headers: The request's, names in lower case.
        fields: The body's top-level fields.

    Returns:
        Whose request it is; None where it shows no harness, or names no session as that harness does.
    """
    row = _find_row(headers, fields)
    if row is None:
        return None
    session = _find_id(row, headers) or _read_field(row, fields)
    if session is None:
        return None
    agent = read_id(headers, row.agent)
    parent = read_id(headers, row.parent)
    if parent is not None and parent != session:
        session, agent = parent, session
    return Shown(row.name, session, agent)


def _find_row(headers: Mapping[str, str], fields: Mapping[str, msgspec.Raw]) -> Harness | None:
    row = _find_by_agent(headers.get("user-agent", ""))
    if row is not None:
        return row
    for name in _BY_SIGN:
        if name in headers:
            return _BY_SIGN[name]
    for echo, row in _BY_ECHO:
        if echo in headers and any(headers.get(name) == headers[echo] for name in row.ids):
            return row
    for name, sign, row in _BY_FIELD:
        if name in fields and sign in bytes(fields[name]):
            return row
    return None


def _find_by_agent(agent: str) -> Harness | None:
    """Find the row of a user agent: by the first product's whole name, or by what stands before its first slash."""
    found = _PRODUCT.match(agent)
    if found is None:
        return None
    product = found[1].lower()
    return _BY_AGENT.get(product) or _BY_AGENT.get(product.partition("/")[0])


def _find_id(row: Harness, headers: Mapping[str, str]) -> str | None:
    for name in row.ids:
        if name in headers:
            return read_id(headers, name)
    return None


def read_id(headers: Mapping[str, str], name: str | None) -> str | None:
    """Read a header that holds an id; None where it is absent or breaks the rules of ids."""
    value = headers.get(name) if name is not None else None
    return value if value is not None and _ID.fullmatch(value) is not None else None


def _read_field(row: Harness, fields: Mapping[str, msgspec.Raw]) -> str | None:
    given = fields.get(row.field.name) if row.field is not None else None
    if row.field is None or given is None:
        return None
    try:
        value = row.field.read(given)
    except BAD_JSON:
        return None
    return value if value is not None and _ID.fullmatch(value) is not None else None
