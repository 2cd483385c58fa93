"""Names and biographies: normalisation and validation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import Invalid
from features.text import clean_line, clean_paragraphs


def line(text: str) -> str:
    return clean_line(text, field="name", max_characters=10)


def paragraphs(text: str) -> str:
    return clean_paragraphs(text, field="bio", max_characters=10)


def test_outer_spaces_go_and_letters_are_composed() -> None:
    assert line("  Zoe\u0308 \t") == "Zoë"
    assert line("👩‍👩‍👧") == "👩‍👩‍👧"


def test_an_emoji_newer_than_our_unicode_tables_is_fine() -> None:
    assert line("\U0001fadf") == "\U0001fadf"


def test_ten_characters_fit_and_eleven_do_not() -> None:
    assert line("x" * 10) == "x" * 10
    with pytest.raises(Invalid) as refusal:
        line("x" * 11)
    assert (refusal.value.code, refusal.value.field) == ("too_long", "name")


@pytest.mark.parametrize("text", ["", "   ", "\u2003", "\u200b", "\u200b \u200d", "\u3164"])
def test_a_name_shows_something(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        line(text)
    assert refusal.value.code == "empty"


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x1bb", "a\u202eb", "a\ud800b", "a\x85b"])
def test_a_name_holds_no_control_characters(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        line(text)
    assert refusal.value.code == "control_characters"


def test_a_biography_has_lines_and_may_be_empty() -> None:
    assert paragraphs(" a\r\nb\n ") == "a\nb"
    assert paragraphs("  ") == ""
    with pytest.raises(Invalid):
        paragraphs("a\x00b")


@given(st.text(max_size=15))
def test_cleaning_again_changes_nothing(text: str) -> None:
    for clean in (line, paragraphs):
        try:
            once = clean(text)
        except Invalid:
            continue
        assert clean(once) == once
        once.encode()
