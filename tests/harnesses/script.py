"""A scripted model of an agent's run: the words that it hears, the tools that it uses, its last words.

A scene begins with words of a user (or with a sub-agent's task, which is the first thing that this sub-agent hears).
Which step is next is read from the transcript alone, so that agents that work side by side do not meet.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from plano_agents.testing import Reply, ToolCall, UpstreamExchange
from tests.harnesses.asked import CALLED, Asked, read_request

Kind = Literal["shell", "read", "write", "patch", "image", "agent", "wait", "web", "search", "unlock", "late", "end"]
"""The kinds of tools that agents have: a shell, a look at a text, a text written, a patch of files, a look at an image,
a sub-agent and the wait for it, a search of the web, one of tools, the two of ``late_tools``, and one that ends the
run."""


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a tool, whatever a harness calls it."""

    kind: Kind
    """The kind of tool."""
    argument: str = ""
    """A command, a task, or what is searched for."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The step that follows on some words."""

    words: str
    """What a user's message contains."""
    steps: tuple[tuple[Use, ...], ...] = ()
    """The uses of tools, a turn each; those of one turn are made side by side."""
    end: str = "All done."
    """What is said after the last step."""
    input_tokens: int = 10
    """What the last request is said to have taken."""


TITLE = "Sorting a list"
REASONING = "gAAAAB"
"""How what a model reasons begins, encrypted; on responses each answer has its own."""


NameTool = Callable[[Use, Asked], tuple[str, dict[str, Any]]]
"""Gives the name of a harness' tool, and the arguments that it takes for a use."""


@dataclass
class Script:
    """A scripted model: an answer of `plano_agents.testing`.

    Args:
        scenes: What it does on which words.
        name_tool: What the harness calls its tools.
        hears_calls: Whether the transcript has the calls; where it tells of them in words, the answers are counted.
    """

    scenes: Sequence[Scene]
    name_tool: NameTool
    hears_calls: bool = True
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _steps: "itertools.count[int]" = field(default_factory=itertools.count)

    async def __call__(self, exchange: UpstreamExchange) -> None:
        number = next(self._numbers)
        said = replace(self.answer(read_request(exchange)), id=str(number), reasoning=f"{REASONING}{number}+/=")
        await exchange.reply(said)

    def answer(self, asked: Asked) -> Reply:
        """Answer a request: a title where no tools are offered, else the next step of the latest scene."""
        if not asked.tools:
            return Reply(f'{{"title": "{TITLE}"}}' if asked.wants_json else TITLE)
        places = [(at, scene) for at, said in enumerate(asked.words) for scene in self.scenes if scene.words in said]
        if not places:
            return Reply("I do not know what to do.")
        begun, scene = places[-1]
        step = asked.words[begun:].count(CALLED) if self.hears_calls else next(self._steps)
        if step >= len(scene.steps):
            return Reply(scene.end, input_tokens=scene.input_tokens)
        return Reply(calls=[self._call(use, asked) for use in scene.steps[step]])

    def _call(self, use: Use, asked: Asked) -> ToolCall:
        name, arguments = self.name_tool(use, asked)
        kind, namespace = asked.kinds.get(name, ("function", None))
        return ToolCall(name, arguments, id=f"call_{next(self._numbers)}", kind=kind, namespace=namespace)
