"""Vignette: follows, short video, three feeds, creators."""

from brands import Brand
from features.accounts.feature import ACCOUNTS
from features.auth.feature import AUTH
from features.feed.feature import FEED
from features.follows.feature import FOLLOWS
from features.live_sessions.feature import LIVE_SESSIONS
from features.posts.feature import POSTS
from features.profiles.feature import PROFILES
from features.realtime.feature import REALTIME
from features.relationships.feature import RELATIONSHIPS

BRAND = Brand(
    name="vignette",
    title="Vignette",
    features=(ACCOUNTS, AUTH, PROFILES, RELATIONSHIPS, FOLLOWS, POSTS, FEED, REALTIME, LIVE_SESSIONS),
)
