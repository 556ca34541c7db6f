"""Routing by a model that was trained for it: what it is asked, and how its answers are read.

Two families are known, distinguished by name. *Plano-Orchestrator* (its name holds ``orchestrator``) gets a route per
line and answers ``{"route": ["name"]}``, ``[]`` for none; *Arch-Router*, and any other, gets a JSON list and answers
``{"route": "name"}``, ``other`` for none. Either answer is taken from either, single-quoted or fenced too; of several
names the first that is a preference counts.

The conversation goes into a budget of tokens, four bytes counted as one, as Plano counts; what does not fit is cut from
the oldest message that still gets in, in its middle. Sending is left to the caller. When the model fails, is late or
says what cannot be read, another strategy decides and the answer says so.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from plano_agents.config.model import Preference
from plano_agents.errors import PlanoError
from plano_agents.routing.strategy import Ranking, Scored, Strategy
from plano_agents.routing.text import Utterance

log = logging.getLogger(__name__)

Complete = Callable[[str], Awaitable[str]]
"""Sends a prompt as one user's message and gives the answer's text; raises a `PlanoError` where that fails."""

TEMPERATURE = 0.01
"""What the prompt is to be sent with."""

BYTES_PER_TOKEN = 4
"""How many bytes of UTF-8 are counted as one token."""

CUT_MARK = "…"
"""Stands where the middle of a message was cut out."""

_TASK = """\
Decide which of the routes serves what the user asks for now.

Each route has a name and a description of what it is for. They stand between <routes></routes>:
<routes>
{routes}
</routes>

The conversation so far stands between <conversation></conversation>:
<conversation>
{conversation}
</conversation>

{rules}
"""
_RULES_FOR_ONE = """\
1. What counts is the user's latest intent. If it fits no route, or is already fulfilled, answer {"route": "other"}.
2. Otherwise pick the route whose description fits it best.
3. Write the name exactly as it stands in <routes></routes>.

Answer with JSON of this form and nothing else:
{"route": "route_name"}"""
_RULES_FOR_SEVERAL = """\
1. What counts is the user's latest intent.
2. Pick the routes whose descriptions fit it, the best first.
3. Write the names exactly as they stand in <routes></routes>.
4. If none fits, or the intent is already fulfilled, the list is empty.

Answer with JSON of this form and nothing else:
{"route": ["route_name_1", "route_name_2"]}"""

_NAMES = re.compile(r"""["']route["']\s*:\s*(\[[^\]]*\]|"[^"]*"|'[^']*'|null)""")
_NAME = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""")

ANSWER_CHARACTERS = 8_192
"""How much of an answer is read: one that is much longer repeats itself, and searching it holds up all requests."""


class UnreadableAnswerError(ValueError):
    """The routing model's answer names neither a route nor none."""


class RoutingModelStrategy:
    """Matches preferences by asking a routing model.

    Args:
        model: The model's name, provider-qualified.
        complete: Sends prompts to it.
        fallback: Decides when it fails.
        timeout_seconds: How long it may take.
        max_tokens: How many tokens it is sent at most.
    """

    def __init__(
        self,
        model: str,
        complete: Complete,
        fallback: Strategy,
        *,
        timeout_seconds: float,
        max_tokens: int,
    ) -> None:
        self._model = model
        self._complete = complete
        self._fallback = fallback
        self._timeout_seconds = timeout_seconds
        self._max_tokens = max_tokens

    async def warm_up(self, preferences: Sequence[Preference]) -> None:
        """See `Strategy.warm_up`; nothing is sent, and the fallback loads when it is needed."""

    async def rank(self, conversation: Sequence[Utterance], preferences: Sequence[Preference]) -> Ranking:
        """See `Strategy.rank`."""
        if not conversation or not preferences:
            return await self._fallback.rank(conversation, preferences)
        prompt = build_prompt(self._model, conversation, preferences, max_tokens=self._max_tokens)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._complete(prompt)
            name = parse_answer(answer, [preference.name for preference in preferences])
        except (PlanoError, TimeoutError, UnreadableAnswerError) as error:
            why = str(error) or f"no answer within {self._timeout_seconds:g} s"
            log.warning("The routing model %s failed (%s); the embedded strategy decides.", self._model, why)
            ranking = await self._fallback.rank(conversation, preferences)
            return replace(ranking, degraded=f"{self._model}: {why}")
        match = next((each for each in preferences if each.name == name), None)
        return Ranking(self._model, match, tuple(Scored(each, None) for each in preferences))


def build_prompt(
    model: str, conversation: Sequence[Utterance], preferences: Sequence[Preference], *, max_tokens: int
) -> str:
    """Write what a routing model is asked.

    Args:
        model: Its name, which tells the family.
        conversation: What was said, oldest first; not empty.
        preferences: The routes.
        max_tokens: How many tokens the prompt may have, four bytes counted as one.
    """
    routes = [{"name": each.name, "description": each.description} for each in preferences]
    several = "orchestrator" in model.lower()
    rules = _RULES_FOR_SEVERAL if several else _RULES_FOR_ONE
    listed = "\n".join(map(_to_json, routes)) if several else _to_json(routes)
    room = max_tokens - (len(_TASK) + len(rules) + len(listed.encode())) // BYTES_PER_TOKEN
    said = [{"role": each.role, "content": each.text} for each in _fit(conversation, room)]
    # One pass, for a description or a message may hold what stands for the other.
    parts = {"{routes}": listed, "{conversation}": _to_json(said), "{rules}": rules}
    return re.sub(r"\{(?:routes|conversation|rules)\}", lambda found: parts[found[0]], _TASK)


def parse_answer(answer: str, names: Sequence[str]) -> str | None:
    """Read a routing model's answer.

    Args:
        answer: What it said.
        names: The routes' names.

    Returns:
        A route's name; None where it says that none fits, or names only unknown ones.

    Raises:
        UnreadableAnswerError: It says nothing of routes.
    """
    found = _NAMES.search(answer, 0, ANSWER_CHARACTERS)
    if found is None and answer.strip() in names:
        return answer.strip()
    if found is None:
        # The answer is not told: it may repeat the prompt.
        raise UnreadableAnswerError("its answer names no route" if answer else "its answer is empty")
    given = [_unescape(double or single) for double, single in _NAME.findall(found[1])]
    return next((name for name in given if name in names), None)


def _fit(conversation: Sequence[Utterance], room: int) -> list[Utterance]:
    """Keep the latest messages that fit, the oldest of them cut in its middle; never nothing."""
    kept: list[Utterance] = []
    for said in reversed(conversation):
        tokens = len(said.text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN
        if tokens > room:
            if said.role == "user" and (room > 0 or not kept):
                kept.append(Utterance(said.role, _cut_middle(said.text, max(room, 1) * BYTES_PER_TOKEN)))
            break
        kept.append(said)
        room -= tokens
    return kept[::-1] or [
        Utterance(conversation[-1].role, _cut_middle(conversation[-1].text, max(room, 1) * BYTES_PER_TOKEN))
    ]


def _cut_middle(text: str, size: int) -> str:
    """Keep ``size`` bytes of head and tail, more of the head, and mark the cut."""
    content = text.encode("utf-8", "surrogatepass")
    if len(content) <= size:
        return text
    left = max(0, size - len(CUT_MARK.encode()))
    tail = left * 2 // 5
    head = content[: left - tail].decode("utf-8", "ignore")
    return head + CUT_MARK + content[len(content) - tail :].decode("utf-8", "ignore")


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)
