"""The errors of settings."""

from features.errors import Conflict, Invalid


class BadSetting(Invalid):
    """There is no such setting, or it cannot have this value."""

    code = "bad_setting"


class StaleSettings(Conflict):
    """The settings have been changed since the version that the change is based on; `current` has them as they are."""

    code = "stale_settings"
    detail = "The settings have been changed since that version."
    field = "version"
