"""Whole chunks of an answer's body (RFC 9112, section 7.1), as they came in one read.

A paced stream comes a chunk at a time, and goes out as it came. Only what can be read in one way is taken for a chunk
here: a size of lower-case digits without a zero before them, no extension. Everything else is the parser's.
"""

MAX_SIZE_DIGITS = 4
"""How long a size is; larger chunks come in several reads anyway."""
MAX_CHUNKS = 4
"""How many chunks of one read are looked at."""


def find_chunk(data: bytes) -> int:
    """Find where the content begins of a chunk that is all of some bytes; 0 where they are none, or the last."""
    end = data.find(b"\r\n", 1, MAX_SIZE_DIGITS + 2)
    try:
        size = int(data[:end], 16) if end > 0 else 0
    except ValueError:
        return 0
    if size <= 0 or len(data) != end + size + 4 or not data.endswith(b"\r\n") or b"%x" % size != data[:end]:
        return 0
    return end + 2


def are_chunks(data: bytes) -> bool:
    """Whether some bytes are whole chunks, a few at most, and none of them the last; so are no bytes."""
    for _ in range(MAX_CHUNKS):
        if not data:
            return True
        end = data.find(b"\r\n", 1, MAX_SIZE_DIGITS + 2)
        try:
            stop = end + int(data[:end], 16) + 4 if end > 0 else 0
        except ValueError:
            return False
        if not stop or len(data) < stop or not find_chunk(data[:stop]):
            return False
        data = data[stop:]
    return not data
