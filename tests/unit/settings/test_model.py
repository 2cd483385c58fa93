"""What a change makes of settings, and what is shown of stored ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field

from brands.catalogue import BRANDS
from features.feature import SettingsSection, SettingsValues
from features.settings.errors import BadSetting
from features.settings.model import SettingsSchema
from features.settings.policy import SettingsPolicy
from features.settings.sections import SECTIONS, DataSaver


class _Sound(SettingsValues):
    volume: int = Field(default=5, ge=0, le=10)
    muted: bool = False


async def _apply(*_: object) -> None:
    pass


SOUND = SettingsSection("sound", _Sound, _apply)
SCHEMA = SettingsSchema((*SECTIONS, SOUND), {"data": {"autoplay": "always"}})
CHOSEN: dict[str, dict[str, Any]] = {"data": {"data_saver": "mobile"}, "gone": {"colour": "blue"}}


def test_what_was_not_chosen_has_the_brand_s_default_or_the_code_s() -> None:
    assert SCHEMA.complete({})["data"] == {"data_saver": "never", "autoplay": "always"}
    assert SCHEMA.complete(CHOSEN)["data"] == {"data_saver": "mobile", "autoplay": "always"}
    assert SCHEMA.complete({})["sound"] == {"volume": 5, "muted": False}


def test_what_other_code_has_stored_is_kept_and_not_shown() -> None:
    chosen = {**CHOSEN, "data": {"data_saver": "satellite", "autoplay": "never", "newer": 1}}
    assert SCHEMA.complete(chosen)["data"] == {"data_saver": "never", "autoplay": "never"}
    assert "gone" not in SCHEMA.complete(chosen)
    changed = SCHEMA.change(chosen, {"sound": {"volume": 0}})
    assert changed == {**chosen, "sound": {"volume": 0}}


def test_null_takes_a_setting_or_a_section_back() -> None:
    chosen = SCHEMA.change({}, {"sound": {"volume": 1, "muted": True}})
    assert SCHEMA.change(chosen, {"sound": {"volume": None}}) == {"sound": {"muted": True}}
    assert SCHEMA.change(chosen, {"sound": None}) == {}


def test_a_change_leaves_what_it_was_given_alone() -> None:
    chosen = {"sound": {"volume": 1}}
    SCHEMA.change(chosen, {"sound": {"volume": 2, "muted": True}})
    assert chosen == {"sound": {"volume": 1}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"smell": {}}, "changes.smell"),
        ({"sound": 3}, "changes.sound"),
        ({"sound": {"treble": 3}}, "changes.sound.treble"),
        ({"sound": {"volume": 11}}, "changes.sound.volume"),
        ({"sound": {"volume": 10**40}}, "changes.sound.volume"),
        ({"sound": {"volume": "3"}}, "changes.sound.volume"),
        ({"sound": {"volume": 2.5}}, "changes.sound.volume"),
        ({"sound": {"volume": float("nan")}}, "changes.sound.volume"),
        ({"sound": {"muted": 1}}, "changes.sound.muted"),
        ({"data": {"autoplay": "ALWAYS"}}, "changes.data.autoplay"),
        ({"data": {"autoplay": "\ud800"}}, "changes.data.autoplay"),
        ({"data": {"autoplay": {"always": True}}}, "changes.data.autoplay"),
        ({"language": {"content": ["de", "x" * 40]}}, "changes.language.content.1"),
        ({"language": {"content": ["de"] * 21}}, "changes.language.content"),
        ({"language": {"content": [[["de"]]]}}, "changes.language.content"),
        ({"language": {"interface": "de<script>"}}, "changes.language.interface"),
    ],
)
def test_a_bad_value_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadSetting) as caught:
        SCHEMA.change(CHOSEN, changes)
    assert caught.value.field == field


def test_only_sections_that_change_are_applied() -> None:
    assert SCHEMA.applied({}, {"data": {"autoplay": "never"}}) == []
    assert SCHEMA.applied({}, {"sound": {"volume": 5}}) == [], "what is in force stays the same"
    ((section, values),) = SCHEMA.applied({}, {"sound": {"volume": 6}})
    assert (section, values) == (SOUND, _Sound(volume=6))
    ((_, values),) = SCHEMA.applied({"sound": {"volume": 6}}, {})
    assert values == _Sound()


@pytest.mark.parametrize(
    "defaults",
    [
        {"smell": {"rose": True}},
        {"data": {"autoplay": "sometimes"}},
        {"data": {"sound": True}},
        {"sound": {"volume": 3}},
    ],
)
def test_a_brand_s_bad_default_is_refused(defaults: dict[str, dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match=r"cannot set defaults|validation error"):
        SettingsSchema((*SECTIONS, SOUND), defaults)


@given(
    st.dictionaries(
        st.sampled_from(["data", "sound", "language", "gone"]),
        st.dictionaries(
            st.sampled_from(["data_saver", "autoplay", "volume", "muted", "content", "interface", "newer"]),
            st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.sampled_from(DataSaver),
        ),
    )
)
def test_whatever_is_stored_what_is_shown_is_valid(chosen: dict[str, dict[str, Any]]) -> None:
    Draft202012Validator(SCHEMA.json_schema()).validate(SCHEMA.complete(chosen))


@given(
    st.dictionaries(
        st.sampled_from(["data", "sound", "language"]),
        st.none()
        | st.dictionaries(
            st.sampled_from(["data_saver", "autoplay", "volume", "muted", "content", "interface"]),
            st.none()
            | st.booleans()
            | st.integers(-1, 11)
            | st.sampled_from(["mobile", "wifi", "de", "\ud83d"])
            | st.lists(st.sampled_from(["de", "pt-BR", ""]), max_size=2),
        ),
    )
)
def test_the_schema_of_changes_allows_what_the_code_does(changes: dict[str, Any]) -> None:
    allowed = Draft202012Validator(SCHEMA.changes_schema()).is_valid(changes)
    try:
        SCHEMA.change({}, changes)
    except BadSetting:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize("brand", BRANDS.values(), ids=BRANDS)
def test_each_brand_has_a_schema_with_its_defaults(brand: Any) -> None:
    sections = [section for feature in brand.features for section in feature.settings]
    schema = SettingsSchema(sections, brand.policy(SettingsPolicy).defaults)
    published = schema.json_schema()
    Draft202012Validator.check_schema(published)
    for section in sections:
        properties = published["$defs"][section.values.__name__]["properties"]
        assert {key: each["default"] for key, each in properties.items()} == schema.defaults[section.name]
        assert all("description" in each or "$ref" in each for each in properties.values())
