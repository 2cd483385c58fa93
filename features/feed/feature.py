"""What this slice declares. Timelines are copies in memory, for a quarter of an hour after their last reader."""

from features.feature import Feature
from features.posts.feature import POSTS
from features.relationships.feature import RELATIONSHIPS

FEED = Feature(name="feed", needs=(POSTS, RELATIONSHIPS))
