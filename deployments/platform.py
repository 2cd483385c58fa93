"""The composition root: builds the services of one brand in one process."""

from collections.abc import Callable
from datetime import datetime
from random import SystemRandom

from actors.runtime.store.tables import RUNTIME_TABLES
from api.admission import Admissions
from api.platform import Platform, Services, utc_now
from brands import Brand
from cluster.events.consumer import Consumer
from cluster.mail import Mailer
from cluster.migrate import check_compatible, load_migrations
from cluster.postgres import Database, open_database
from cluster.redis import Redis, open_redis
from cluster.settings import Settings
from cluster.tables import PLATFORM_TABLES, Table
from features.accounts.service import AccountService
from features.auth import consumers as auth_consumers
from features.auth.keys import SigningKeys
from features.auth.service import AuthService
from features.feature import in_order
from features.feed.consumers import FeedUpdates
from features.feed.home import HomeFeed
from features.feed.invalidations import InvalidationReader, InvalidationStream
from features.feed.ports import Feeds
from features.feed.render_cache import RenderCache
from features.feed.service import FeedService
from features.follows.service import FollowService
from features.friends.service import FriendService
from features.live_sessions.consumers import SocketRevocation
from features.live_sessions.ports import LiveSessions
from features.posts import consumers as posts_consumers
from features.posts.service import PostService
from features.profiles.service import ProfileService
from features.realtime.service import RealtimeService
from features.realtime.store import HostDirectory, TicketStore
from features.relationships.service import RelationshipService


def build_services(brand: Brand, settings: Settings, redis: Redis, database: Database, feeds: Feeds | None) -> Services:
    """Wire the slices together."""
    on_block = tuple(feature.on_block for feature in in_order(brand.features) if feature.on_block)
    relationships = RelationshipService(brand.relationships, on_block=on_block)
    profiles = ProfileService(brand.profiles, relationships)
    posts = PostService(brand.posts, profiles)
    return Services(
        auth=AuthService.create(
            policy=brand.auth,
            accounts=AccountService(),
            profiles=profiles,
            keys=SigningKeys(settings.keys_directory / brand.name),
            redis=redis,
            brand=brand.name,
            title=brand.title,
            issuer=settings.public_urls.get(brand.name, brand.name),
            secret=settings.cluster_secret.get_secret_value().encode(),
        ),
        profiles=profiles,
        relationships=relationships,
        friends=FriendService(brand.friends, relationships, profiles),
        follows=FollowService(brand.follows, relationships, profiles),
        posts=posts,
        feed=_feed(brand, posts, redis, feeds),
        realtime=RealtimeService(
            brand.realtime, TicketStore(redis, brand.name), HostDirectory(redis, brand.name), SystemRandom()
        ),
    )


def _feed(brand: Brand, posts: PostService, redis: Redis, feeds: Feeds | None) -> FeedService:
    if feeds is None:
        return FeedService(brand.feed, posts)
    cache, invalidations = RenderCache(), InvalidationStream(redis, brand.name)
    home = HomeFeed(feeds, cache, InvalidationReader(invalidations, cache))
    return FeedService(brand.feed, posts, home, FeedUpdates(feeds, invalidations, brand.feed))


async def open_platform(
    brand: Brand,
    settings: Settings,
    *,
    features: frozenset[str] = frozenset(),
    feeds: Feeds | None = None,
    sessions: Callable[[Database], LiveSessions] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Platform:
    """Connect to the brand's storage and build its services; `features` empty means all that the brand has.
    `feeds` are the timelines in memory and `sessions` makes the way to the sessions' entities, where there are any.
    Raises MigrationError when the database and this code do not fit together."""
    database = await open_database(
        settings.databases[brand.name].get_secret_value(), pool_size=settings.database_pool_size
    )
    try:
        async with database.pool.acquire() as connection:
            await check_compatible(connection, load_migrations())
    except BaseException:
        await database.close()
        raise
    redis = open_redis(settings.redis_url.get_secret_value())
    services = build_services(brand, settings, redis, database, feeds)
    if services.feed.updates is not None:
        database.reactions.append(services.feed.updates.after_commit)
    sockets = SocketRevocation(sessions(database)) if sessions else None
    if sockets is not None:
        database.reactions.append(sockets.after_commit)
    return Platform(
        brand=brand.name,
        title=brand.title,
        brand_features=brand.feature_names,
        features=features or brand.feature_names,
        settings=settings,
        database=database,
        redis=redis,
        services=services,
        admissions=Admissions(redis, services.feed.home.invalidations if services.feed.home else None),
        sockets=sockets,
        now=now,
    )


def brand_consumers(platform: Platform) -> list[Consumer]:
    """Every reaction to events that the brand's features have."""
    settings = platform.settings
    mailer = Mailer(settings.smtp_url.get_secret_value(), settings.mail_sender)
    return [
        *auth_consumers.consumers(platform.services.auth, mailer, platform.now),
        *posts_consumers.consumers(platform.services.posts),
        *(updates.consumers() if (updates := platform.services.feed.updates) else ()),
        *(platform.sockets.consumers() if platform.sockets else ()),
    ]


def brand_tables(brand: Brand) -> list[Table]:
    """Every table of the brand's database that somebody owns."""
    owned = [table for feature in brand.features for table in feature.tables]
    return [*PLATFORM_TABLES, *RUNTIME_TABLES, *owned]
