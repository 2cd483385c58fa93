"""The words of a command in the line."""

import shlex


def words(line: str) -> list[str]:
    """Splits at spaces, but for what is in double quotes; apostrophes and backslashes are characters like others.
    Raises ValueError, whose text is for the user."""
    reader = shlex.shlex(line, posix=True)
    reader.whitespace_split = True
    reader.quotes, reader.escape, reader.commenters = '"', "", ""
    try:
        return list(reader)
    except ValueError as error:
        raise ValueError("A quotation mark is missing.") from error
