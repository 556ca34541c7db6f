"""The wire formats by name."""

from enum import Enum


class Form(Enum):
    """A wire format: of a client surface, or of an upstream."""

    OPENAI_CHAT = "openai_chat"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    OPENAI_RESPONSES = "openai_responses"

    __hash__ = object.__hash__  # the enum's own is Python, and one is looked up by it for every request
