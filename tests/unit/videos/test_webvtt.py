"""Captions: read strictly, written anew."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.videos.webvtt import BadWebVTT, Cue, parse, render

FILE = """WEBVTT - a title

NOTE a comment
of two lines

STYLE
::cue { background: url(https://example.net/seen) }

first
00:01.000 --> 00:02.500 position:10% align:start
Hello <b>you</b>

01:00:00.000 --> 01:00:03.000
<v Ada>Two lines
<c.loud>here</c> <00:30.000>
"""


def test_a_file_is_read_without_what_is_not_text() -> None:
    assert parse(FILE, 10) == [
        Cue(1000, 2500, "Hello <b>you</b>"),
        Cue(3_600_000, 3_603_000, "<v Ada>Two lines\nhere "),
    ]


def test_line_ends_and_a_byte_order_mark() -> None:
    assert parse("\ufeffWEBVTT\r\n\r\n00:00.000 --> 00:01.000\r\nHi\r\n", 10) == [Cue(0, 1000, "Hi")]


def test_cues_are_put_in_order() -> None:
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nlater\n\n00:01.000 --> 00:02.000\nearlier"
    assert [cue.text for cue in parse(text, 10)] == ["earlier", "later"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("1\n00:00:01,000 --> 00:00:02,000\nsubrip", 1),
        ("WEBVTTX\n\n00:01.000 --> 00:02.000\na", 1),
        ("WEBVTT\n\n", 3),
        ("WEBVTT\n\njust text", 3),
        ("WEBVTT\n\nid\nstill no times", 3),
        ("WEBVTT\n\n00:01.000 --> 00:01.000\na", 3),
        ("WEBVTT\n\n00:03.000 --> 00:02.000\na", 3),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\na", 3),
        ("WEBVTT\n\n00:01,000 --> 00:02,000\na", 3),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "a" * 1001, 3),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:03.000 --> 00:04.000\nb", 3),
        ("WEBVTT\n" + "\n00:01.000 --> 00:02.000\na\n" * 4, 12),
    ],
)
def test_what_is_no_webvtt(text: str, line: int) -> None:
    with pytest.raises(BadWebVTT) as caught:
        parse(text, 3)
    assert caught.value.line == line


_TEXT = st.text(st.characters(exclude_characters="<>&-\r\n\0", exclude_categories=("Cs", "Z", "C")), min_size=1)
_CUES = st.builds(
    lambda begins, lasts, text: Cue(begins, begins + lasts, text), st.integers(0, 10**8), st.integers(1, 10**6), _TEXT
)


@given(st.lists(_CUES, min_size=1, max_size=20))
def test_what_is_written_is_read_again(cues: list[Cue]) -> None:
    expected = sorted(cues, key=lambda cue: (cue.begins, cue.ends))
    assert parse(render(expected, "X-TIMESTAMP-MAP=MPEGTS:90000,LOCAL:00:00:00.000"), 20) == expected


@given(st.text(max_size=300))
def test_whatever_is_sent_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadWebVTT):
        assert parse("WEBVTT\n\n00:01.000 --> 00:02.000\n" + text, 50)
