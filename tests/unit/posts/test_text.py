"""Hashtags and mentions in many scripts."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.posts.text import MAX_TAG_LENGTH, Hashtag, Mention, parse, tag_of
from features.text import normalise

letters = st.characters(categories=["L", "M", "N", "P", "S", "Z", "Cf"])
texts = st.text(st.one_of(letters, st.sampled_from("##@@ ._a1\u200d\u200c\n"))) | st.text()


def found(text: str) -> list[str]:
    """The entities as ``#tag`` and ``@username``."""
    return [f"#{e.tag}" if isinstance(e, Hashtag) else f"@{e.username}" for e in parse(text)]


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("no entities at all", []),
        ("#hello", ["#hello"]),
        ("Hi #Hello, @Ada!", ["#hello", "@ada"]),
        ("(#tag) «#tag2»", ["#tag", "#tag2"]),
        ("#CAFÉ #cafe\u0301 #café", ["#café"] * 3),
        ("#straße #STRASSE", ["#strasse"] * 2),
        ("#日本語です。#東京", ["#日本語です", "#東京"]),
        ("#हिन्दी #தமிழ்", ["#हिन्दी", "#தமிழ்"]),
        ("#می\u200cخواهم", ["#میخواهم"]),
        ("#ไทย #עברית #العربية", ["#ไทย", "#עברית", "#العربية"]),
        ("＃全角 ﹟small", ["#全角", "#small"]),
        ("#ｆｕｌｌ", ["#full"]),
        ("#2026 is no tag, #y2026 and #2026y are", ["#y2026", "#2026y"]),
        ("#snake_case #_ #_a", ["#snake_case", "#_a"]),
        ("#rock'n'roll", ["#rock"]),
        ("#a#b", []),
        ("##a", []),
        ("word#tag", []),
        ("https://example.org/page#part &#39; /#x", []),
        ("#", []),
        ("# space", []),
        ("#🎉party #party🎉", ["#party"]),
        ("#ㅤ", []),
        ("#" + "a" * MAX_TAG_LENGTH, ["#" + "a" * MAX_TAG_LENGTH]),
        ("#" + "a" * (MAX_TAG_LENGTH + 1), []),
        ("@ada", ["@ada"]),
        ("@ADA.lovelace_1815.", ["@ada.lovelace_1815"]),
        ("thanks @ada...", ["@ada"]),
        ("thanks @ada.Well", ["@ada.well"]),
        (".@ada", ["@ada"]),
        ("ada@example.org", []),
        ("@ada@example.org", []),
        ("@adaé", []),
        ("@ada日", []),
        ("@", []),
        ("@.", []),
        ("@@ada", []),
        ("@ada,@bob", ["@ada", "@bob"]),
        ("#ada@bob", ["#ada"]),
    ],
)
def test_what_counts(text: str, entities: list[str]) -> None:
    assert found(text) == entities


def test_offsets_are_code_points() -> None:
    text = "👩‍🚀 naïve #tag @bob"
    tag, mention = parse(text)
    assert isinstance(tag, Hashtag)
    assert isinstance(mention, Mention)
    assert text[tag.start : tag.end] == "#tag"
    assert text[mention.start : mention.end] == "@bob"


@given(texts)
@example("#ͺa")
@example("#İ")
@example("#ŉa @a.")
def test_entities_are_ordered_apart_and_where_they_say(text: str) -> None:
    end = 0
    for entity in parse(text):
        assert end <= entity.start < entity.end <= len(text)
        end = entity.end
        shown = text[entity.start : entity.end]
        if isinstance(entity, Hashtag):
            assert shown[0] in "#＃﹟"
            assert normalise(shown[1:]) == entity.tag
            assert not any(character.isspace() for character in entity.tag)
        else:
            assert shown.lower() == f"@{entity.username}"


@given(texts)
def test_a_tag_found_in_a_text_is_found_again_by_its_name(text: str) -> None:
    for entity in parse(text):
        if isinstance(entity, Hashtag):
            assert tag_of(entity.tag) == entity.tag
            assert found(f"#{entity.tag} ") == [f"#{entity.tag}"]


@given(texts)
@example("ᾳͅ")
@example("ﬃﬆ")
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize("text", ["", "#", "a b", "#a b", "1", "a#b", "@ada", "##a", "a-b", "\x00"])
def test_what_is_no_tag_name(text: str) -> None:
    assert tag_of(text) is None


@pytest.mark.parametrize(("text", "tag"), [("Tag", "tag"), ("#Tag", "tag"), ("ＴＡＧ", "tag")])
def test_a_tag_can_be_asked_for_as_it_is_written(text: str, tag: str) -> None:
    assert tag_of(text) == tag
