"""Texts that are shown within a line: names of groups, options of polls."""

import unicodedata

_BREAKS = ("Cc", "Zl", "Zp")
_UNSEEN = ("Cf", "Zs")


def is_line(text: str) -> bool:
    """Whether a text stays in its line, and has something to see."""
    categories = {unicodedata.category(each) for each in text}
    return categories.isdisjoint(_BREAKS) and not categories.issubset(_UNSEEN)
