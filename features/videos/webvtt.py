"""WebVTT (https://www.w3.org/TR/webvtt1/): cues with times and text.

What somebody uploads is read strictly and written anew: cue settings, regions, style sheets and comments are left out,
and of tags only those stay that players show as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import unescape
from itertools import pairwise

from features.text import MAX_MARKS, has_too_many_marks

_TIME = re.compile(r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})")
_TIMING = re.compile(rf"({_TIME.pattern})[ \t]+-->[ \t]+({_TIME.pattern})(?:[ \t].*)?")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_TAG = re.compile(r"</?(?:[biu]|ruby|rt)>|</?v(?:[. \t][^>]*)?>|<[^>]*>")
_KEPT_TAG = re.compile(r"</?(?:[biu]|ruby|rt)>|</v>|<v [^<>&]*>")
_MAX_CUE_CHARACTERS = 1000


class BadWebVTT(ValueError):
    """A text that is no WebVTT. `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Cue:
    """A text that is shown from `begins` to `ends`, in milliseconds."""

    begins: int
    ends: int
    text: str


def parse(text: str, max_cues: int) -> list[Cue]:
    """Returns the cues of a WebVTT file in the order of their times. Raises BadWebVTT."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]):
        raise BadWebVTT(1, "the first line must be WEBVTT")
    cues: list[Cue] = []
    for number, block in _blocks(lines):
        if number == 1 or block[0].split(" ", 1)[0] in _BLOCKS:
            continue
        at = 0 if "-->" in block[0] else 1  # a cue may have an identifier before its times
        if at >= len(block) or "-->" not in block[at]:
            raise BadWebVTT(number, "expected a line with times: 00:01.000 --> 00:02.000")
        cues.append(_cue(number + at, block[at], "\n".join(block[at + 1 :])))
        if len(cues) > max_cues:
            raise BadWebVTT(number, f"there are more than {max_cues} cues")
    if not cues:
        raise BadWebVTT(len(lines), "there are no cues")
    return sorted(cues, key=lambda cue: (cue.begins, cue.ends))


def _blocks(lines: list[str]) -> Iterable[tuple[int, list[str]]]:
    """Yields blocks of lines between empty ones, each with the number of its first line."""
    empty = [-1, *(number for number, line in enumerate(lines) if not line.strip()), len(lines)]
    for before, after in pairwise(empty):
        if after > before + 1:
            yield before + 2, lines[before + 1 : after]


def _cue(number: int, timing: str, text: str) -> Cue:
    found = _TIMING.fullmatch(timing.strip())
    if found is None:
        raise BadWebVTT(number, "times are written as 00:01.000 --> 00:02.000")
    begins, ends = _milliseconds(found[1]), _milliseconds(found[6])
    if ends <= begins:
        raise BadWebVTT(number, "a cue must end after it begins")
    if len(text) > _MAX_CUE_CHARACTERS:
        raise BadWebVTT(number, f"a cue has at most {_MAX_CUE_CHARACTERS} characters")
    if "-->" in text:
        raise BadWebVTT(number, "a cue's text cannot contain -->")
    if has_too_many_marks(unescape(_TAG.sub("", text))):
        raise BadWebVTT(number, f"a character has at most {MAX_MARKS} combining marks")
    return Cue(begins, ends, _TAG.sub(_kept, text))


def _kept(tag: re.Match[str]) -> str:
    return tag[0] if _KEPT_TAG.fullmatch(tag[0]) else ""


def _milliseconds(time: str) -> int:
    found = _TIME.fullmatch(time)
    assert found is not None
    return ((int(found[1] or 0) * 60 + int(found[2])) * 60 + int(found[3])) * 1000 + int(found[4])


def render(cues: Iterable[Cue], header: str = "") -> str:
    """Returns cues as a WebVTT file. `header` is a line that follows the first one."""
    blocks = [f"WEBVTT\n{header}" if header else "WEBVTT"]
    blocks += [f"{_time(cue.begins)} --> {_time(cue.ends)}\n{cue.text}" for cue in cues]
    return "\n\n".join(blocks) + "\n"


def _time(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"
