"""What the sections of a file are made of."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

NOT_ACTED_ON = "Plano acts on it, plano-agents does not yet"

T = TypeVar("T")
NotActedOn = Annotated[T, NOT_ACTED_ON]
"""A key that is accepted for Plano's sake, and told to the operator."""

Port = Annotated[int, Field(ge=0, le=65_535)]
Text = Annotated[str, Field(min_length=1)]
Loose = NotActedOn[dict[str, object] | None]
LooseList = NotActedOn[list[object] | None]


class Section(BaseModel):
    """A mapping of the file: no unknown keys, no conversions, no values in errors.

    A key that is absent is None; the file itself holds no nulls (``document`` refuses them, as Plano does).
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
