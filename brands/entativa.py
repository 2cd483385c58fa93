"""Entativa: friends, events, one feed."""

from brands import Brand
from brands.reserved_usernames import PROFILE_POLICY
from features.accounts.feature import ACCOUNTS
from features.attachments.feature import ATTACHMENTS
from features.auth.feature import AUTH
from features.backups.feature import BACKUPS
from features.collections.feature import COLLECTIONS
from features.comments.feature import COMMENTS
from features.counters.feature import COUNTERS
from features.devices.feature import DEVICES
from features.exports.feature import EXPORTS
from features.feed.feature import FEED
from features.friends.feature import FRIENDS
from features.group_invitations.feature import GROUP_INVITATIONS
from features.groups.feature import GROUPS
from features.live_sessions.feature import LIVE_SESSIONS
from features.media.feature import MEDIA
from features.message_references.feature import MESSAGE_REFERENCES
from features.message_reports.feature import MESSAGE_REPORTS
from features.messaging.feature import MESSAGING
from features.posts.feature import POSTS
from features.profile_images.feature import PROFILE_IMAGES
from features.profiles.feature import PROFILES
from features.reactions.feature import REACTIONS
from features.realtime.feature import REALTIME
from features.relationships.feature import RELATIONSHIPS
from features.settings.feature import SETTINGS
from features.share_links.feature import SHARE_LINKS
from features.stories.feature import STORIES
from features.videos.feature import VIDEOS

BRAND = Brand(
    name="entativa",
    title="Entativa",
    features=(
        FEED,
        POSTS,
        COMMENTS,
        REACTIONS,
        COLLECTIONS,
        STORIES,
        SHARE_LINKS,
        PROFILES,
        PROFILE_IMAGES,
        AUTH,
        REALTIME,
        LIVE_SESSIONS,
        RELATIONSHIPS,
        FRIENDS,
        MEDIA,
        VIDEOS,
        COUNTERS,
        DEVICES,
        GROUPS,
        GROUP_INVITATIONS,
        MESSAGING,
        BACKUPS,
        ATTACHMENTS,
        MESSAGE_REFERENCES,
        MESSAGE_REPORTS,
        SETTINGS,
        ACCOUNTS,
        EXPORTS,
    ),
    policies=(PROFILE_POLICY,),
)
