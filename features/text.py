"""Normalisation and validation of text from users."""

import re
import unicodedata

from features.text_errors import ControlCharacters, EmptyText, TextTooLong, TooManyMarks

MAX_MARKS = 8
"""Combining marks on one character. More of them cover the lines above and below; Hebrew with points and accents has up
to five, a stack of Tibetan letters eight."""

_NOT_SHOWN = frozenset({"Cc", "Cs"})
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional overrides and isolates (UAX #9): with them a name could look like another person's."""
_BLANK = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by category that fonts render as nothing (Hangul fillers, the empty braille pattern)."""
_MARKS = frozenset({"Mn", "Me"})
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Code points that are not rendered (Default_Ignorable_Code_Point, Unicode section 5.21)."""


def clean_line(text: str, *, field: str, max_characters: int, required: bool = True) -> str:
    """Returns one line in normal form C without outer spaces. Raises Invalid(field) if it is required and has no
    visible character, has more than `max_characters` code points, or contains control characters or too many
    combining marks."""
    line = _normal(text, field, max_characters).strip()
    if required and is_blank(line):
        raise EmptyText(field=field)
    if any(unicodedata.category(character) in _NOT_SHOWN or character in _REORDERING for character in line):
        raise ControlCharacters(field=field)
    _check_length(line, field, max_characters)
    return check_marks(line, field)


def is_blank(text: str) -> bool:
    """Returns whether a text has no visible character."""
    return all(unicodedata.category(character) in _BLANK or character in _FILLERS for character in text)


def clean_paragraphs(text: str, *, field: str, max_characters: int) -> str:
    """Returns several lines in normal form C, without outer white space and with line feeds as the only control
    characters. Raises Invalid(field) as `clean_line` does; the empty text is allowed."""
    lines = _normal(text, field, max_characters).replace("\r\n", "\n").strip()
    if any(character != "\n" and unicodedata.category(character) in _NOT_SHOWN for character in lines):
        raise ControlCharacters(field=field)
    _check_length(lines, field, max_characters)
    return check_marks(lines, field)


def check_marks(text: str, field: str) -> str:
    """Returns a text. Raises TooManyMarks."""
    if has_too_many_marks(text):
        raise TooManyMarks(f"A character has at most {MAX_MARKS} combining marks.", field=field)
    return text


def has_too_many_marks(text: str) -> bool:
    """Returns whether a character has more than MAX_MARKS combining marks. What is not rendered between marks parts
    them for nobody."""
    run = 0
    for character in "" if text.isascii() else _IGNORABLE.sub("", text):
        run = run + 1 if unicodedata.category(character) in _MARKS else 0
        if run > MAX_MARKS:
            return True
    return False


def normalise(text: str) -> str:
    """Returns the form in which texts are compared (NFKC_Casefold, Unicode section 3.13). Idempotent; drops what is not
    rendered."""
    previous = None
    while text != previous:
        previous = text
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = "".join(sign for sign in _IGNORABLE.sub("", text) if unicodedata.category(sign) != "Cf")
    return text


def _normal(text: str, field: str, max_characters: int) -> str:
    """Returns the text in normal form C. That takes quadratic time for runs of combining marks, hence the limit."""
    if len(text) > 4 * max_characters:
        raise _too_long(field, max_characters)
    return unicodedata.normalize("NFC", text)


def _check_length(text: str, field: str, max_characters: int) -> None:
    if len(text) > max_characters:
        raise _too_long(field, max_characters)


def _too_long(field: str, max_characters: int) -> TextTooLong:
    return TextTooLong(f"This may have at most {max_characters} characters.", field=field)
