"""Makes what models and tools say fit for JSON in UTF-8.

A model may write half of a surrogate pair as a JSON escape, which Python reads and no UTF-8 encoder writes. Two halves
that belong together become their character, one alone becomes U+FFFD, as the Unicode standard advises (section 3.9).
"""

from collections.abc import Mapping

import msgspec


def clean_text(text: str) -> str:
    """Replace what UTF-8 cannot say; nearly always the text itself."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_object(value: Mapping[str, object]) -> dict[str, object]:
    """Clean the texts of a JSON object, at any depth."""
    return {clean_text(str(name)): _clean(item) for name, item in value.items()}


def clean_value(value: object) -> object:
    """Clean the texts of any JSON value; what is none stays as it is."""
    try:
        msgspec.json.encode(value)  # far quicker than looking at each text
    except (TypeError, ValueError, OverflowError):  # half a character is a ValueError
        return _clean(value)
    return value


def _clean(value: object) -> object:
    match value:
        case str():
            return clean_text(value)
        case Mapping():
            return clean_object(value)
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value
