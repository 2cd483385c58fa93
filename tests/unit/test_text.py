"""Text that people type: what is refused before it costs anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.web import FetchedPage
from features.errors import Invalid
from features.posts.composing import clean_text
from features.posts.links import summarise
from features.text import clean_line, clean_paragraphs, normalise
from features.text_errors import TooManyMarks
from features.videos.webvtt import BadWebVTT, parse


@pytest.mark.parametrize("clean", [clean_line, clean_paragraphs])
def test_a_text_far_too_long_is_not_even_normalised(clean: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks of two classes in turns make it a second of work for 30,000 of them, four for 60,000."""
    lengths = [0]
    normalise = unicodedata.normalize

    def watched(form: Literal["NFC"], text: str) -> str:
        lengths.append(len(text))
        return normalise(form, text)

    monkeypatch.setattr(unicodedata, "normalize", watched)
    with pytest.raises(Invalid, match="too_long"):
        clean("a" + "\u0301\u0316" * 20_000, field="name", max_characters=50)
    assert max(lengths) <= 200


def test_a_decomposed_text_may_be_longer_than_it_is_composed() -> None:
    assert clean_line("e\u0301" * 50, field="name", max_characters=50) == "\u00e9" * 50


NINE = "q" + "\u0315\u0323\u0300" * 3
COVERING = [NINE, NINE[:4] + "\u200b\u034f\U000e0061" + NINE[4:], "q" + "\u0489" * 9]
WRITTEN = [NINE[:-1], "שׁ\u05bc\u05b8\u05bd\u0596", "พี่น้อง", "སྒྲུབ", "ཧྐྵྨླྺྼྻྂ", "👍🏽 1\ufe0f\u20e3", "e\u0301" * 40, "नि\u0902"]


@pytest.mark.parametrize("text", COVERING)
@pytest.mark.parametrize("clean", [clean_line, clean_paragraphs])
def test_marks_that_cover_other_lines_are_refused(clean: Callable[..., str], text: str) -> None:
    with pytest.raises(TooManyMarks) as refused:
        clean(f"fine {text}", field="name", max_characters=500)
    assert refused.value.field == "name"


@pytest.mark.parametrize("text", WRITTEN)
def test_marks_of_written_languages_are_accepted(text: str) -> None:
    assert clean_line(text, field="name", max_characters=500)


@pytest.mark.parametrize("text", COVERING)
def test_a_post_and_a_caption_and_a_page_have_the_same_limit(text: str) -> None:
    with pytest.raises(TooManyMarks) as refused:
        clean_text(text, 500)
    assert refused.value.field == "text"
    for cue in (text, f"<b>{text[:5]}</b>{text[5:]}", text.replace("\u0315", "&#789;")):
        with pytest.raises(BadWebVTT, match="combining marks"):
            parse(f"WEBVTT\n\n00:00.100 --> 00:00.900\n{cue}\n", 10)
    page = FetchedPage("https://example.org/", f"<title>{text}</title>".encode(), "utf-8")
    assert summarise(page) is None


@given(st.text())
def test_what_is_not_rendered_makes_no_difference(text: str) -> None:
    assert normalise("\u200b".join(text)) == normalise(normalise(text))
