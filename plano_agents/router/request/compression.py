"""Answers that come compressed although ``accept-encoding: identity`` was sent."""

import zlib
from collections.abc import Mapping

from plano_agents.errors import UpstreamProtocolError

MAX_BYTES = 64 * 1024 * 1024
"""The largest answer that is made of a compressed one."""

_ANY_HEADER = 47
"""Tells zlib to read the header of gzip or of zlib, whichever is there."""


def is_compressed(headers: Mapping[str, str]) -> bool:
    """Check whether an answer is compressed."""
    encoding = headers.get("content-encoding")
    return encoding is not None and encoding.strip().lower() != "identity"


def decompress(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Give a whole body as it was before it was compressed.

    Args:
        body: What came.
        headers: The answer's headers.

    Raises:
        UpstreamProtocolError: It is compressed otherwise than by gzip or deflate, it is broken, or it has over
            `MAX_BYTES`.
    """
    if not is_compressed(headers):
        return body
    encoding = headers["content-encoding"]
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        raise UpstreamProtocolError(
            f"The provider compressed its answer ({encoding!r}) although 'accept-encoding: identity' was sent."
        )
    reader = zlib.decompressobj(_ANY_HEADER)
    try:
        plain = reader.decompress(body, MAX_BYTES)
    except zlib.error as error:
        raise UpstreamProtocolError("The provider's compressed answer is broken.") from error
    if reader.unconsumed_tail or not reader.eof:
        raise UpstreamProtocolError("The provider's compressed answer is too large, or it was cut.")
    return plain
