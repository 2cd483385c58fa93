"""The brands: which features each has, with which policies. Values only."""

from dataclasses import dataclass

from features.auth.policy import AuthPolicy
from features.feature import Feature
from features.feed.policy import FeedPolicy
from features.follows.policy import FollowPolicy
from features.friends.policy import FriendPolicy
from features.posts.policy import PostPolicy
from features.profiles.policy import RESERVED_USERNAMES, ProfilePolicy
from features.realtime.policy import RealtimePolicy
from features.relationships.policy import RelationshipPolicy


@dataclass(frozen=True, slots=True)
class Brand:
    """A product: its name (lower case; also the name of its database and its route), title, features and policies."""

    name: str
    title: str
    features: tuple[Feature, ...]
    auth: AuthPolicy = AuthPolicy()
    profiles: ProfilePolicy = ProfilePolicy(reserved_usernames=RESERVED_USERNAMES | {"entativa", "vignette"})
    relationships: RelationshipPolicy = RelationshipPolicy()
    friends: FriendPolicy = FriendPolicy()
    follows: FollowPolicy = FollowPolicy()
    posts: PostPolicy = PostPolicy()
    feed: FeedPolicy = FeedPolicy()
    realtime: RealtimePolicy = RealtimePolicy()

    @property
    def feature_names(self) -> frozenset[str]:
        """The names by which settings and Serve applications choose features."""
        return frozenset(feature.name for feature in self.features)
