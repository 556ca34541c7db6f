"""Which tool call a piece of a stream belongs to.

OpenAI numbers the calls of an answer; some compatible providers give every call the number 0, and tell calls apart by
their ids alone. So a new id is a new call, whatever its number.
"""

from uuid import uuid4

from plano_agents.protocol.openai_completion import ToolCallDelta


def name_call() -> str:
    """Give an id to a call whose server gave it none: another one in every answer, for a transcript holds them all."""
    return f"call_{uuid4().hex[:24]}"


class CallIndex:
    """Numbers one answer's calls in the order they begin; made anew for each answer."""

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._ids: list[str] = []

    def find(self, delta: ToolCallDelta) -> int:
        """Find the number of the call that a piece belongs to; the next number where it begins one."""
        number = self._latest.get(delta.index)
        if number is None or (delta.id and self._ids[number] and delta.id != self._ids[number]):
            number = len(self._ids)
            self._ids.append(delta.id or "")
            self._latest[delta.index] = number
        return number
