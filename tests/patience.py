"""How long a test waits for what must come: a guard against hanging for ever, which no busy machine reaches."""

PATIENCE_SECONDS = 300
"""Half of what pytest gives a test (``timeout`` in pyproject.toml), so that the place of the wait is told."""
