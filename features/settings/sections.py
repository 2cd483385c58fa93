"""The sections that no other slice declares: clients apply them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from features.feature import SettingsSection, SettingsValues

LanguageTag = Annotated[
    str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", description="A language tag (BCP 47).")
]

MAX_LANGUAGES = 20


class DataSaver(StrEnum):
    """When a client loads smaller images and videos."""

    NEVER = "never"
    MOBILE = "mobile"
    ALWAYS = "always"


class Autoplay(StrEnum):
    """When videos start by themselves."""

    NEVER = "never"
    WIFI = "wifi"
    ALWAYS = "always"


class LanguageSettings(SettingsValues):
    """Languages."""

    interface: LanguageTag | None = Field(default=None, description="Of the interface; null: that of the device.")
    content: Annotated[tuple[LanguageTag, ...], Field(max_length=MAX_LANGUAGES)] = Field(
        default=(), description="Languages that the person reads; none: all."
    )


class AccessibilitySettings(SettingsValues):
    """Accessibility."""

    reduce_motion: bool = Field(default=False, description="No animations.")
    high_contrast: bool = Field(default=False, description="Stronger contrast.")
    captions: bool = Field(default=False, description="Videos show captions where there are some.")
    text_scale_percent: int = Field(default=100, ge=50, le=300, description="The size of text.")


class DataSettings(SettingsValues):
    """Use of mobile data."""

    data_saver: DataSaver = Field(default=DataSaver.NEVER, description="When smaller images and videos are loaded.")
    autoplay: Autoplay = Field(default=Autoplay.WIFI, description="When videos start by themselves.")


SECTIONS = (
    SettingsSection("language", LanguageSettings),
    SettingsSection("accessibility", AccessibilitySettings),
    SettingsSection("data", DataSettings),
)
