"""Answers in JSON: a text that is valid for the schema that was asked for, or any object that holds the answer."""

import json
import re

from pydantic import JsonValue

from plano_agents.simulator.agent.values import write_value
from plano_agents.simulator.conversation import AnswerFormat

_KEY_WORD = re.compile(r"\b(?:keys?|fields?)\b", re.IGNORECASE)
_QUOTED_KEY = re.compile(r"""(["'`])([A-Za-z_]\w*)\1""")


def write_json(wanted: AnswerFormat, words: str, text: str) -> str:
    """Write an answer in JSON.

    Args:
        wanted: What it must be valid for.
        words: Where values are looked for: the user's words, or what was found for them.
        text: The answer in words; where any object will do it is all there is to say, under the keys that ``words``
            names in quotation marks ("with 'setup' and 'punchline' keys").

    Raises:
        UnwritableError: The simulated models cannot write a value for the schema; says why.
    """
    value: JsonValue = dict.fromkeys(_name_keys(words) or ["answer"], text)
    if wanted.schema is not None:
        value = write_value(wanted.schema, words)
    return json.dumps(value, ensure_ascii=False)


def _name_keys(words: str) -> list[str]:
    """The keys that a request in words wants an object to have; none where it speaks of none."""
    sentences = filter(_KEY_WORD.search, re.split(r"[.!?]\s", words))
    return [key for sentence in sentences for _, key in _QUOTED_KEY.findall(sentence)]
