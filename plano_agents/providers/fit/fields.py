"""Top-level fields: those that the provider takes, spelt as it spells them, and ids of users within its bounds.

A field that the provider does not know is left out and reported, unless that would change what is asked for beyond a
matter of degree (`NEVER_DROPPED`): then the request is refused here, and another model of the route may serve it.
"""

import hashlib
import re
from collections.abc import Collection

import msgspec

from plano_agents.errors import UnsupportedFieldError
from plano_agents.protocol.adjustment import dropped, rewritten
from plano_agents.protocol.form import Form
from plano_agents.providers.dialects import Dialect, words
from plano_agents.providers.fit.document import Document, read_text, split
from plano_agents.providers.fit.rules import Rules

NEVER_DROPPED = words(
    """n logprobs top_logprobs response_format tools tool_choice functions function_call modalities audio
    web_search_options output_config output_format inference_geo"""
)
"""Fields whose loss would change what is asked for: they are carried, or the request is refused."""

NEUTRAL: dict[str, Collection[object]] = {
    "frequency_penalty": (0,),
    "function_call": ("auto", "none"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "tools": ([],),
    "tool_choice": ("auto", "none"),
    "top_logprobs": (0,),
}
"""Values that ask for nothing; they are left out without a word."""

_USERS = {
    Form.OPENAI_CHAT: ("user", "safety_identifier", "prompt_cache_key"),
    Form.OPENAI_RESPONSES: ("user", "safety_identifier", "prompt_cache_key"),
    Form.ANTHROPIC_MESSAGES: (),
}
_ACCOUNT = re.compile(r"account|user_[0-9a-f]{32}", re.IGNORECASE)
_REASONING_REFUSES = ("logprobs", "top_logprobs")


def fit_fields(document: Document, rules: Rules) -> None:
    """Spell fields as the provider does, and leave out those that it does not know.

    Raises:
        UnsupportedFieldError: One of them may not be left out; ``param`` names it.
    """
    dialect = rules.dialect
    for name, spelling in dialect.renamed.items():
        if document.has(name):
            document.fields[spelling] = document.fields[name]
            document.drop(name)
            document.tell(rewritten(name, f"sent as {spelling}"))
    _add_demanded(document, dialect)
    if rules.wire is Form.OPENAI_CHAT and not dialect.include_usage and "stream_options" in document.fields:
        document.drop("stream_options")
        if not document.is_translated:
            document.tell(dropped("stream_options"))
    given = document.fields.keys() - {"model", "routing_preferences"}
    for name in sorted(given & dialect.refused if dialect.fields is None else given - dialect.fields):
        _leave_out(document, name, dialect.name)
    if rules.profile.sampling == "default" and rules.wire is Form.OPENAI_CHAT:
        for name in _REASONING_REFUSES:
            if name in document.fields:
                _leave_out(document, name, "a reasoning model")


def _add_demanded(document: Document, dialect: Dialect) -> None:
    """Add what every request to the provider must have."""
    for name, value in dialect.defaults.items():
        if not document.read(name):
            document.write(name, value)
    for name, value in dialect.always.items():
        asked = document.read(name)
        if asked != value:
            document.write(name, value)
            if asked is not None and name != "stream":  # which the client gets as it asked for it
                document.tell(rewritten(name, f"sent as {msgspec.json.encode(value).decode()}"))


def _leave_out(document: Document, name: str, target: str) -> None:
    value = document.read(name)
    document.drop(name)
    if value is None or value in NEUTRAL.get(name, ()):
        return
    if name in NEVER_DROPPED:
        raise UnsupportedFieldError(
            f"{name!r} is not taken by {target}, and leaving it out would change what is asked for. Leave it out, or "
            "name a model that takes it.",
            param=name,
        )
    document.tell(dropped(name))


def fit_users(document: Document, rules: Rules) -> None:
    """Shorten ids of users, and hash what names an account with another provider."""
    longest = rules.dialect.user_length
    for name in _USERS[rules.wire]:
        value = read_text(document.fields.get(name))
        fitted = _fit_user(value, longest, is_foreign=document.is_translated)
        if value is not None and fitted != value:
            document.write(name, fitted)
            document.tell(rewritten(name, "hashed"))
    if rules.wire is Form.ANTHROPIC_MESSAGES and document.has("metadata"):
        metadata = split(document.fields["metadata"])
        value = read_text(metadata.get("user_id"))
        fitted = _fit_user(value, longest, is_foreign=document.is_translated)
        if value is not None and fitted != value:
            document.write("metadata", {**metadata, "user_id": fitted})
            document.tell(rewritten("metadata", "user_id hashed"))


def _fit_user(value: str | None, longest: int | None, *, is_foreign: bool) -> str | None:
    if value is None:
        return None
    is_long = longest is not None and len(value) > longest
    names_account = is_foreign and _ACCOUNT.search(value) is not None
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest() if is_long or names_account else value
