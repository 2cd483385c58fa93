"""Errors of text input, shared by all slices."""

from features.errors import Invalid


class EmptyText(Invalid):
    """A required text has no visible character."""

    code = "empty"
    detail = "This may not be empty."


class TextTooLong(Invalid):
    """A text has too many characters (Unicode code points, in normal form C)."""

    code = "too_long"


class ControlCharacters(Invalid):
    """A text holds control characters or, in a name, characters that reverse the direction of what follows."""

    code = "control_characters"
    detail = "This may not hold control characters."


class TooManyMarks(Invalid):
    """A character of a text has too many combining marks."""

    code = "too_many_marks"


TEXT_ERRORS = (EmptyText, TextTooLong, ControlCharacters, TooManyMarks)
