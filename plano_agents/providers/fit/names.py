"""Tool names within the provider's length and characters, and the answer with the client's own again.

A name that has to change ends in a hash of itself, so it stays apart from every other and is always the same; in the
answer it is put back wherever it stands, for no text has such a name by chance.
"""

import re
from collections.abc import Mapping

import msgspec

from plano_agents.protocol.tool_names import shorten_name
from plano_agents.providers.fit.document import Pieces, pack, read_text, split


def restore_names(content: bytes, names: Mapping[str, str]) -> bytes:
    """Put the client's own names back into an answer or whole events of one.

    Args:
        content: JSON.
        names: The names as they were sent, to the client's.
    """
    for sent, own in names.items():
        content = content.replace(sent.encode(), msgspec.json.encode(own)[1:-1])
    return content


class Names:
    """The names of one request.

    Args:
        length: How long they may be.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._fits = re.compile(rf"[a-zA-Z0-9_-]{{1,{length}}}")
        self.sent: dict[str, str] = {}
        """The names that had to change, as they are sent, to the client's."""

    def fit(self, pieces: Pieces, name: str = "name") -> Pieces:
        """Give a piece whose name fits; the same one where it does already."""
        own = read_text(pieces.get(name))
        if not own or self._fits.fullmatch(own) is not None:
            return pieces
        short = shorten_name(own, self._length)
        self.sent[short] = own
        return {**pieces, name: pack(short)}

    def fit_inner(self, pieces: Pieces, name: str = "function") -> Pieces:
        """Do the same for the name within a piece's object."""
        inner = pieces.get(name)
        if inner is None or not bytes(inner).startswith(b"{"):
            return pieces
        given = split(inner)
        fitted = self.fit(given)
        return pieces if fitted is given else {**pieces, name: pack(fitted)}
