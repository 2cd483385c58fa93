"""The settings of stories, and who may reply to them. Replies are messages, so the server knows that somebody asked to
reply, and nothing else."""

from enum import StrEnum

from pydantic import Field

from features.feature import SettingsSection, SettingsValues

SECTION, REPLIES = "stories", "replies"


class ReplyAudience(StrEnum):
    """Whose replies to stories an author wants, of those who see them."""

    EVERYONE = "everyone"
    CONNECTIONS = "connections"
    """Friends on one brand, followers on the other."""
    CLOSE_FRIENDS = "close_friends"
    NOBODY = "nobody"


class StorySettings(SettingsValues):
    """Stories."""

    replies: ReplyAudience = Field(
        default=ReplyAudience.EVERYONE,
        description="Who may reply to your stories with a message, of those who see them: `connections` are friends "
        "(Entativa) or followers (Vignette).",
    )


STORY_SETTINGS = SettingsSection(SECTION, StorySettings)


def may_reply(audience: ReplyAudience, *, connected: bool, close_friend: bool) -> bool:
    """Returns whether somebody who sees a story may reply to it. The two arguments say what that person is to its
    author."""
    return {
        ReplyAudience.EVERYONE: True,
        ReplyAudience.CONNECTIONS: connected,
        ReplyAudience.CLOSE_FRIENDS: close_friend,
        ReplyAudience.NOBODY: False,
    }[audience]
