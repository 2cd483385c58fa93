"""The rules for texts of comments, and filter words."""

from __future__ import annotations

import pytest

from features.comments.errors import BadFilterWord, TooManyEmoji, TooManyLines, TooManyPeopleMentioned
from features.comments.policy import CommentPolicy
from features.comments.text import clean_words, emoji_in, has_filtered, parse_text
from features.errors import Invalid
from features.text_errors import ControlCharacters, EmptyText, TextTooLong, TooManyMarks

POLICY = CommentPolicy(max_text_length=100, max_lines=3, max_emoji=2, max_mentions=2)

REFUSED = {
    "": EmptyText,
    " \u200b\n": EmptyText,
    "x" * 101: TextTooLong,
    "a\x07b": ControlCharacters,
    "1\n2\n3\n4": TooManyLines,
    "😀😀😀": TooManyEmoji,
    "❤️🔥✨": TooManyEmoji,
    "q" + "\u0315\u0323\u0300" * 3: TooManyMarks,
    "@ada @bob @eve": TooManyPeopleMentioned,
}


@pytest.mark.parametrize(("text", "error"), REFUSED.items(), ids=[error.__name__ for error in REFUSED.values()])
def test_a_flood_is_refused_by_name(text: str, error: type[Invalid]) -> None:
    with pytest.raises(error) as refused:
        parse_text(text, POLICY)
    assert refused.value.field == "text"


@pytest.mark.parametrize("text", ["1\n2\n3", "👍🏽 ok 😀", "e\u0301", "สวัสดี ที่รัก", "@ada @Ada #lisbon"])
def test_what_people_write_is_accepted(text: str) -> None:
    assert parse_text(text, POLICY).text


def test_a_skin_tone_is_no_emoji_of_its_own() -> None:
    assert emoji_in("👍🏽👍🏿") == 2


UNRENDERED = [f"spoi{sign}ler" for sign in "\u00ad\u034f\u115f\u180b\u200b\u200d\u2060\ufe0f\ufeff\U000e0061"]


def test_filter_words_match_whole_words_in_any_case() -> None:
    words = clean_words(["Spoiler", "spoiler", "BUY now", "💩", "ñ"], CommentPolicy())
    assert words == sorted({"spoiler", "buy now", "💩", "ñ"})
    for text in ("SPOILER!", "no spoiler: he dies", "ｓｐｏｉｌｅｒ", "Buy Now", "what a 💩day", "El Ñ.", *UNRENDERED):
        assert has_filtered(text, words), text
    for text in ("spoilers", "despoiler", "buy nowhere", "España"):
        assert not has_filtered(text, words), text


def test_filter_words_of_earlier_versions_match() -> None:
    assert has_filtered("so \u2764\ufe0f", ["\u2764\ufe0f"])
    assert has_filtered("so \u2764", ["\u2764\ufe0f"])
    assert not has_filtered("so", ["\ufe0f"])


@pytest.mark.parametrize("words", [[""], [" "], ["x" * 51], [f"word{n}" for n in range(201)]])
def test_filter_words_have_limits(words: list[str]) -> None:
    with pytest.raises(BadFilterWord):
        clean_words(words, CommentPolicy())
