"""Normalisation and validation of text from users."""

import unicodedata

from features.text_errors import ControlCharacters, EmptyText, TextTooLong

_NOT_SHOWN = frozenset({"Cc", "Cs"})
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional overrides and isolates (UAX #9): with them a name could look like another person's."""
_BLANK = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that fonts render as nothing (Hangul fillers, the empty braille pattern)."""


def clean_line(text: str, *, field: str, max_characters: int, required: bool = True) -> str:
    """Returns one line in normal form C without outer spaces. Raises Invalid(field) if it is required and has no
    visible character, has more than `max_characters` code points, or contains control characters."""
    line = _normal(text, field, max_characters).strip()
    if required and is_blank(line):
        raise EmptyText(field=field)
    if any(unicodedata.category(character) in _NOT_SHOWN or character in _REORDERING for character in line):
        raise ControlCharacters(field=field)
    return _check_length(line, field, max_characters)


def is_blank(text: str) -> bool:
    """Returns whether a text has no visible character."""
    return all(unicodedata.category(character) in _BLANK or character in _FILLERS for character in text)


def clean_paragraphs(text: str, *, field: str, max_characters: int) -> str:
    """Returns several lines in normal form C, without outer white space and with line feeds as the only control
    characters. Raises Invalid(field) as `clean_line` does; the empty text is allowed."""
    lines = _normal(text, field, max_characters).replace("\r\n", "\n").strip()
    if any(character != "\n" and unicodedata.category(character) in _NOT_SHOWN for character in lines):
        raise ControlCharacters(field=field)
    return _check_length(lines, field, max_characters)


def _normal(text: str, field: str, max_characters: int) -> str:
    """Returns the text in normal form C. That takes quadratic time for runs of combining marks, hence the limit."""
    if len(text) > 4 * max_characters:
        raise _too_long(field, max_characters)
    return unicodedata.normalize("NFC", text)


def _check_length(text: str, field: str, max_characters: int) -> str:
    if len(text) > max_characters:
        raise _too_long(field, max_characters)
    return text


def _too_long(field: str, max_characters: int) -> TextTooLong:
    return TextTooLong(f"This may have at most {max_characters} characters.", field=field)
