"""The longest wait of a test: a guard against hanging for ever, which no busy machine reaches."""

PATIENCE_SECONDS = 300
"""Half of what pytest gives a test (``timeout`` in pyproject.toml), so that the place of the wait is told."""
