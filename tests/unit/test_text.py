"""Text that people type: what is refused before it costs anything."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Literal

import pytest

from features.errors import Invalid
from features.text import clean_line, clean_paragraphs


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
