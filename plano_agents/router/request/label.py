"""``X-Plano-Label``: what a client calls its session, for operators alone; no provider sees it."""

from collections.abc import Sequence

from plano_agents.errors import RequestError
from plano_agents.http_syntax import read_as_sent

LABEL_HEADER = "x-plano-label"
SHOWN = "X-Plano-Label"
"""The same, as documents and messages spell it."""
MAX_LABEL_CHARACTERS = 80
"""The longest label: it is held with the session, and shown in a line."""


def read_label(headers: Sequence[tuple[str, str]]) -> str:
    """Take a session's label from a request that brings one.

    Args:
        headers: The request's, in the order they came, names in lower case; values as Latin-1, as HTTP has them.

    Returns:
        The label: UTF-8 where it is that.

    Raises:
        RequestError: It is empty, too long or not printable, or came more than once.
    """
    values = [value for name, value in headers if name == LABEL_HEADER]
    label = read_as_sent(values[0])
    if len(values) > 1:
        raise RequestError(f"The header {SHOWN} came {len(values)} times; send it once.", param=LABEL_HEADER)
    if not 1 <= len(label) <= MAX_LABEL_CHARACTERS:
        raise RequestError(
            f"The header {SHOWN} has {len(label):,} characters. Send 1 to {MAX_LABEL_CHARACTERS}.",
            param=LABEL_HEADER,
        )
    bad = next((character for character in label if not character.isprintable()), None)
    if bad is not None:
        raise RequestError(
            f"The header {SHOWN} holds {bad!r}, which is not printable. Send text in UTF-8.", param=LABEL_HEADER
        )
    return label
