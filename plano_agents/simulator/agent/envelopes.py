"""The user's own words in a message: without what an agent's program wrote around them, and without quotations.

Programs such as Claude Code and Codex put notes of their own into users' messages, in tags of compound names:
``<system-reminder>``, ``<environment_context>``, ``<local-command-stdout>``. A tag that says that the user's words are
in it (``<user_query>``) is opened; a tag that is never closed is text.
"""

import re
from collections.abc import Iterator

# The single words are Codex': codex-rs/core/src, contextual user fragments.
_TAG = re.compile(r"<(/?)([A-Za-z]+(?:[-_][A-Za-z]+)+|INSTRUCTIONS|skill|plugins|subagents)(?:\s[^<>]{0,200})?>")
_USERS = re.compile(r"</?user[-_](?:query|message|request|input|prompt)>", re.IGNORECASE)
_NOTES = re.compile(
    r"^(?:# AGENTS\.md instructions\b.*"  # over <INSTRUCTIONS>: openai/codex, codex-rs/core/src/context
    r"|\[Request interrupted by user[^\]\n]*\]"
    r"|The user sent a new message while you were working:"
    r"|This is how Claude Code surfaces messages the user sends mid-turn\b.*)$",
    re.MULTILINE,
)
_QUOTATION = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|“[^”]*”|\"[^\"\n]*\"|(?<!\w)'[^'\n]*'(?!\w)|^>[^\n]*$",
    re.DOTALL | re.MULTILINE,
)


def strip_envelopes(text: str) -> str:
    """Take out what a program wrote, and the white space around what is left."""
    if "<" in text:
        text = "".join(_read_outside(_USERS.sub("", text)))
    return _NOTES.sub("", text).strip()


def strip_quotations(text: str) -> str:
    """Take out code, quotations and quoted lines."""
    return _QUOTATION.sub(" ", text)


def _read_outside(text: str) -> Iterator[str]:
    tags = list(_TAG.finditer(text))
    closed = {tag[2]: tag.start() for tag in tags if tag[1]}
    done, name, depth = 0, "", 0
    for tag in tags:
        if not name and not tag[1] and closed.get(tag[2], 0) > tag.start():
            yield text[done : tag.start()]
            name, depth = tag[2], 1
        elif tag[2] == name:
            depth += -1 if tag[1] else 1
            if depth == 0 or (tag[1] and tag.start() == closed[name]):
                done, name = tag.end(), ""
    yield text[done:]
