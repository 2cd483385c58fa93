"""The settings of posts, which clients apply."""

from pydantic import Field

from features.feature import SettingsSection, SettingsValues
from features.posts.model import Audience


class PostSettings(SettingsValues):
    """Posts."""

    audience: Audience = Field(
        default=Audience.PUBLIC, description="What a client offers first as the audience of a new post."
    )
    open_content_warnings: bool = Field(
        default=False, description="A client shows posts with content warnings without being asked to."
    )


POST_SETTINGS = SettingsSection("posts", PostSettings)
