"""``response_format``: what the provider takes, and how it refuses a bad one.

Strict schemas are held to two of the rules of its guide to structured outputs: every object is closed
(``additionalProperties`` is false) and demands all its members.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, JsonValue

from plano_agents.simulator.conversation import AnswerFormat
from plano_agents.simulator.schema import JsonObject, walk_schema
from plano_agents.simulator.wire.exchange import Refusal
from plano_agents.simulator.wire.openai.refusals import refuse
from plano_agents.simulator.wire.reading import Strict


class TextFormat(Strict):
    """Words."""

    type: Literal["text"]


class JsonFormat(Strict):
    """Any JSON object."""

    type: Literal["json_object"]


class NamedSchema(Strict):
    """A JSON Schema with a name."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    definition: Annotated[dict[str, JsonValue], Field(alias="schema")]
    strict: bool | None = None


class SchemaFormat(Strict):
    """JSON that is valid for a schema."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat: TypeAlias = Annotated[TextFormat | JsonFormat | SchemaFormat, Field(discriminator="type")]


def build_format(asked: TextFormat | JsonFormat | SchemaFormat | None, texts: str) -> AnswerFormat | None:
    """Read the demand for JSON.

    Args:
        asked: The field; None where it was not sent.
        texts: All that the messages say; for any JSON it must mention the word.

    Raises:
        Refusal: With the provider's words.
    """
    if asked is None or isinstance(asked, TextFormat):
        return None
    if isinstance(asked, SchemaFormat):
        if asked.json_schema.strict:
            _check_strict(asked.json_schema)
        return AnswerFormat(asked.json_schema.definition)
    if "json" not in texts.lower():
        raise refuse(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
        )
    return AnswerFormat()


def _check_strict(schema: NamedSchema) -> None:
    kind = schema.definition.get("type")
    if kind != "object" and "$ref" not in schema.definition:
        got = kind if isinstance(kind, str) else None
        raise _refuse_schema(schema.name, f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'.")
    for path, found in walk_schema(schema.definition):
        if found.get("type") == "object" or "properties" in found:
            problem = _find_problem(found)
            if problem is not None:
                raise _refuse_schema(schema.name, f"In context={path!r}, {problem}")


def _find_problem(source: JsonObject) -> str | None:
    if source.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    members, required = source.get("properties"), source.get("required")
    names = required if isinstance(required, list) else []
    missing = next((name for name in members if name not in names), None) if isinstance(members, dict) else None
    if missing is None:
        return None
    return (
        "'required' is required to be supplied and to be an array including every key in properties. "
        f"Missing '{missing}'."
    )


def _refuse_schema(name: str, problem: str) -> Refusal:
    return refuse(f"Invalid schema for response_format '{name}': {problem}", "response_format")
