"""Text of others, made safe for a terminal."""

import unicodedata

_KEPT = "\n\t"
_HIDDEN = ("Cc", "Cs", "Zl", "Zp")
_DIRECTIONS = {*"\u061c\u200e\u200f", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


def printable(text: str) -> str:
    """Replaces what moves the cursor, colours, rings or turns the direction of text around: a message can only be read,
    not act on the terminal or look like another line of it."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if (unicodedata.category(each) in _HIDDEN and each not in _KEPT) or each in _DIRECTIONS
        else each
        for each in text
    )


def one_line(text: str) -> str:
    """Text that is printable and stays in its line."""
    return printable(" ".join(text.split()))
