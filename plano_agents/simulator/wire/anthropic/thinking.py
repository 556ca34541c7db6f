"""``thinking``: how it is asked for, what it forbids, and how thoughts are signed.

A signature belongs to a model and to the text that was shown. A thought of these models that comes back with another
text is refused. One that another Claude signed, simulated or real, is taken and dropped, for a model reads few of the
others' thoughts (platform.claude.com/docs/en/build-with-claude/preserved-thinking). Signatures and
``redacted_thinking`` are at least base64: nobody but their maker can read them.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from plano_agents.simulator.wire.anthropic.refusals import refuse
from plano_agents.simulator.wire.exchange import Thoughts
from plano_agents.simulator.wire.reading import Strict

_GUIDE = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
_MAKER = b"simulated thought\0"
_MIN_TOP_P = 0.95

Display: TypeAlias = Literal["summarized", "omitted", "updates"]
"""How thoughts are shown; ``updates`` (a beta that Claude Code uses) shows here what ``summarized`` shows."""


class Thought(Strict):
    """A model's earlier thought."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThought(Strict):
    """A model's earlier thought that only its provider can read."""

    type: Literal["redacted_thinking"]
    data: str


class Enabled(Strict):
    """Thinking within a budget."""

    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024)]
    display: Display | None = None
    block_binding: dict[str, JsonValue] | None = None


class Adaptive(Strict):
    """Thinking as the model sees fit."""

    type: Literal["adaptive"]
    display: Display | None = None
    block_binding: dict[str, JsonValue] | None = None


class Off(Strict):
    """No thinking; ``between_tools`` is read as that, for the simulated models would show nothing more."""

    type: Literal["disabled", "between_tools"]


Thinking: TypeAlias = Annotated[Enabled | Adaptive | Off, Field(discriminator="type")]


def check_thinking(
    asked: Enabled | Adaptive | Off | None,
    *,
    max_tokens: int,
    forced_tool: bool,
    temperature: float | None,
    top_p: float | None,
    top_k: int | None,
) -> Thoughts:
    """Check what goes together with thinking.

    Args:
        asked: The field; None where it was not sent.
        max_tokens: The request's; more than the budget.
        forced_tool: Whether the tool choice demands a call.
        temperature: The request's; only 1 goes with thinking.
        top_p: The request's; only 0.95 and more go with thinking.
        top_k: The request's; none goes with thinking.

    Returns:
        How thoughts are shown.

    Raises:
        Refusal: With the provider's words.
    """
    if asked is None or isinstance(asked, Off):
        return "none"
    if isinstance(asked, Enabled) and asked.budget_tokens >= max_tokens:
        raise refuse(f"`max_tokens` must be greater than `thinking.budget_tokens`. {_GUIDE}")
    if forced_tool:
        raise refuse("Thinking may not be enabled when tool_choice forces tool use.")
    if temperature is not None and temperature != 1:
        raise refuse(f"`temperature` may only be set to 1 when thinking is enabled. {_GUIDE}")
    if top_p is not None and top_p < _MIN_TOP_P:
        raise refuse(
            f"`top_p` must be greater than or equal to {_MIN_TOP_P} or unset when thinking is enabled. {_GUIDE}"
        )
    if top_k is not None:
        raise refuse(f"`top_k` must be unset when thinking is enabled. {_GUIDE}")
    return "omitted" if asked.display == "omitted" else "shown"


def check_thought(thought: Thought | RedactedThought, path: str) -> None:
    """Check a thought that is sent back.

    Args:
        thought: The block.
        path: Where the block stands, e.g. ``messages.1.content.0``.

    Raises:
        Refusal: Its signature is that of another text, or no base64 as its data may be.
    """
    if isinstance(thought, Thought):
        signature = _decode(thought.signature)
        signer = signature.removeprefix(_MAKER).partition(b"\0")[0].decode("utf-8", "replace")
        is_own = signature.startswith(_MAKER)
        if not signature or (is_own and thought.signature != sign_thought(signer, thought.thinking)):
            raise refuse(f"{path}: Invalid `signature` in `thinking` block")
    elif not _decode(thought.data):
        raise refuse(f"{path}: Invalid `data` in `redacted_thinking` block")


def sign_thought(model: str, text: str) -> str:
    """The signature of a thought, the same in every process: base64, as the provider's are; it names the model."""
    signer = _MAKER + model.encode("utf-8", "replace") + b"\0"
    digest = hashlib.sha512(signer + text.encode("utf-8", "surrogatepass")).digest()
    return base64.b64encode(signer + digest).decode()


def _decode(source: str) -> bytes:
    try:
        return base64.b64decode(source, validate=True)
    except (binascii.Error, ValueError):
        return b""
