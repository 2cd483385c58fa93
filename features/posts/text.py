"""Parses hashtags and mentions. Offsets are in Unicode code points, `end` exclusive (not bytes, and not the UTF-16
units that JavaScript counts).

Hashtags follow the Unicode definition of hashtag identifiers (UAX #31, section 6, UAX31-D2): letters, marks, numbers
and underscores of any script, joined by zero-width joiners where a script needs them; at least one is not a number.
Two hashtags are the same when they are equal after compatibility normalisation and case folding (NFKC_Casefold,
Unicode section 3.13), so ``#CAFÉ`` and ``#café`` are one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from features.text import normalise

MAX_TAG_LENGTH = 100
"""Maximum code points of a hashtag without its ``#``. Longer ones are plain text."""

_HASHES = "#＃﹟"
_JOINERS = "\u200c\u200d"
_USERNAME = re.compile(r"[A-Za-z0-9_.]+")
_SIGN = re.compile(rf"[@{_HASHES}]")
_GLUE = frozenset("/&=@" + _HASHES)
"""A sign right after one of these is part of an address (``/page#part``) or of a doubled sign, not an entity."""


@dataclass(frozen=True, slots=True)
class Hashtag:
    """A hashtag: its normalised form, without the ``#``, and its position."""

    tag: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A possible mention: the username in lower case, which may belong to nobody."""

    username: str
    start: int
    end: int


def tag_of(text: str) -> str | None:
    """Returns the normalised tag if the whole text, with or without its ``#``, is one hashtag, otherwise None."""
    found = next(_entities(text if text[:1] in _HASHES and text else f"#{text}"), None)
    whole = len(text) + (0 if text[:1] in _HASHES and text else 1)
    return found.tag if isinstance(found, Hashtag) and found.start == 0 and found.end == whole else None


def parse(text: str) -> list[Hashtag | Mention]:
    """Returns the hashtags and possible mentions of a text, in order, without overlap."""
    return list(_entities(text))


def _entities(text: str) -> Iterator[Hashtag | Mention]:
    end = 0
    for sign in _SIGN.finditer(text):
        start = sign.start()
        if start < end or (start > 0 and (_continues(text[start - 1]) or text[start - 1] in _GLUE)):
            continue
        found = _mention(text, start) if sign[0] == "@" else _hashtag(text, start)
        if found is not None:
            end = found.end
            yield found


def _hashtag(text: str, start: int) -> Hashtag | None:
    end = start + 1
    while end < len(text) and (_continues(text[end]) or (text[end] in _JOINERS and end > start + 1)):
        end += 1
    while text[end - 1] in _JOINERS:
        end -= 1
    body = text[start + 1 : end]
    if not 0 < len(body) <= MAX_TAG_LENGTH or text[end : end + 1] in tuple(_HASHES):
        return None
    tag = normalise(body)
    if not 0 < len(tag) <= MAX_TAG_LENGTH or not any(_is_letter(character) for character in tag):
        return None
    return Hashtag(tag, start, end)


def _mention(text: str, start: int) -> Mention | None:
    match = _USERNAME.match(text, start + 1)
    if match is None:
        return None
    username = match[0].rstrip(".")
    end = start + 1 + len(username)
    following = text[match.end() : match.end() + 1]
    if not username or (match[0] == username and following and (_continues(following) or following == "@")):
        return None
    return Mention(username.lower(), start, end)


@lru_cache(maxsize=4096)
def _continues(character: str) -> bool:
    """Returns whether the character and its normalised form are word characters, so that a hashtag may contain it."""
    return all(part == "_" or unicodedata.category(part)[0] in "LMN" for part in (character, *normalise(character)))


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] == "L"
