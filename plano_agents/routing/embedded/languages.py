"""The language of a text, as far as it shows in its letters, for explanations of what was routed."""

import re

READ_CHARS = 2_000
"""How much of a text is looked at, in characters."""

LEAST_SHARE = 0.25
"""The share of a text's letters that must be a language's."""

WEAK = frozenset({"th", "he", "el"})
"""Languages of which the embedded strategy knows hardly a word; of those measured it decides 87 % or more rightly."""

_LETTERS = {
    "ko": "\uac00-\ud7a3\u1100-\u11ff",
    "ja": "\u3040-\u30ff",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff",
    "ru": "\u0400-\u04ff",
    "th": "\u0e00-\u0e7f",
    "ar": "\u0600-\u06ff",
    "he": "\u0590-\u05ff",
    "hi": "\u0900-\u097f",
    "el": "\u0370-\u03ff",
}
# Patterns are compiled when they are first used: one with many letters takes a millisecond.
_SCRIPTS = {name: f"[{letters}]" for name, letters in _LETTERS.items()}
_UKRAINIAN = "[іїєґІЇЄҐ]"
_VIETNAMESE = "[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]"
_VIETNAMESE_SHARE = 0.08
"""Fewer of its letters are its own."""


def tell_weak_language(text: str) -> str | None:
    """Tell a text's language where it is one of `WEAK`."""
    language = tell_language(text)
    return language if language in WEAK else None


def tell_language(text: str) -> str | None:
    """Tell a text's language by its letters.

    Args:
        text: Any text.

    Returns:
        Its code in ISO 639-1; None for languages in Latin letters but Vietnamese, and where no letters tell.
    """
    head = text[:READ_CHARS].lower()
    letters = sum(char.isalpha() for char in head)
    if not letters:
        return None
    if len(re.findall(_VIETNAMESE, head)) >= _VIETNAMESE_SHARE * letters:
        return "vi"
    for name, script in _SCRIPTS.items():
        least = LEAST_SHARE / 2 if name == "ja" else LEAST_SHARE  # written with Chinese letters too
        if len(re.findall(script, head)) >= least * letters:
            return "uk" if name == "ru" and re.search(_UKRAINIAN, head) else name
    return None
