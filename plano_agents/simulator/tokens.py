"""An estimate of a text's tokens: about four characters of English or code each.

No provider's vocabulary is at hand offline, and no two agree. Words are cut after eight letters, digits in threes,
as the common vocabularies roughly do; scripts without spaces are counted too low.
"""

import re

_PIECE = re.compile(r" ?[^\W\d_]{1,8}| ?\d{1,3}| ?_+| ?[^\w\s]{1,3}|\s+")


def split_tokens(text: str) -> list[str]:
    """Cut a text into its estimated tokens, which joined give the text again."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """Estimate how many tokens a text has."""
    return len(_PIECE.findall(text))
