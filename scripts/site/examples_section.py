"""Lets Griffe read our docstrings' ``Example:`` as code, as it reads ``Examples:``."""

from typing import Any

import griffe


class ExamplesSection(griffe.Extension):
    """Renames the section, in the documentation alone."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 - Griffe's own
        """Change an object's docstring before it is parsed; Griffe calls this for each."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
