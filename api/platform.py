"""The services and storage of one brand in one process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from api.admission import Admissions
from cluster.postgres import Database
from cluster.redis import Redis
from cluster.settings import Settings
from features.auth.service import AuthService
from features.feed.service import FeedService
from features.follows.service import FollowService
from features.friends.service import FriendService
from features.live_sessions.consumers import SocketRevocation
from features.posts.service import PostService
from features.profiles.service import ProfileService
from features.realtime.service import RealtimeService
from features.relationships.service import RelationshipService


def utc_now() -> datetime:
    """Returns the present time: the clock of a running platform."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """One service per feature. A brand that leaves a feature out does not mount its router."""

    auth: AuthService
    profiles: ProfileService
    relationships: RelationshipService
    friends: FriendService
    follows: FollowService
    posts: PostService
    feed: FeedService
    realtime: RealtimeService


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a router or a dependency may use."""

    brand: str
    title: str
    brand_features: frozenset[str]
    """All features of the brand."""
    features: frozenset[str]
    """The features that this process serves."""
    settings: Settings
    database: Database
    redis: Redis
    services: Services
    admissions: Admissions
    sockets: SocketRevocation | None = None
    now: Callable[[], datetime] = utc_now

    async def close(self) -> None:
        await self.database.close()
        await self.redis.aclose()
