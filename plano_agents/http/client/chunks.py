"""A whole chunk of an answer's body (RFC 9112, section 7.1), as it came in one read.

A paced stream comes a chunk at a time, and goes out as it came. Only what can be read in one way is taken for a chunk
here: a size of lower-case digits without a zero before them, no extension. Everything else is the parser's.
"""

import re

_SIZE = re.compile(rb"([1-9a-f][0-9a-f]{0,3})\r\n")
"""A size; larger chunks come in several reads anyway."""


def find_chunk(data: bytes) -> int:
    """Find where the content begins of a chunk that is all of some bytes; 0 where they are none, or the last."""
    found = _SIZE.match(data)
    if found is None or len(data) != (start := found.end()) + int(found[1], 16) + 2 or data[-2:] != b"\r\n":
        return 0
    return start
