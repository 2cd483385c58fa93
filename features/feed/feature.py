"""What this slice declares. Timelines are copies in memory, for a quarter of an hour after their last reader."""

from collections.abc import Sequence

from cluster.events.consumer import Consumer
from cluster.postgres import Reaction
from cluster.redis import StreamReader
from features.accounts.feature import ACCOUNTS
from features.collections.feature import COLLECTIONS
from features.counters.feature import COUNTERS
from features.counters.service import CounterService
from features.feature import Entities, Feature, Scope
from features.feed.author_heads import AuthorHeads
from features.feed.consumers import FeedUpdates
from features.feed.home import HomeFeed
from features.feed.invalidations import InvalidationReader, InvalidationStream
from features.feed.own_marks import OwnMarks
from features.feed.policy import FeedPolicy
from features.feed.poll_results import PollResults
from features.feed.ports import FEEDS
from features.feed.render_cache import RenderCache
from features.feed.service import FeedService
from features.posts.feature import POSTS
from features.profiles.feature import PROFILES
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> FeedService:
    policy, feeds = scope.policy(FeedPolicy), scope.ports.get(FEEDS)
    if feeds is None:
        return FeedService(policy)
    cache, heads, marks, polls = RenderCache(), AuthorHeads(), OwnMarks(), PollResults()
    invalidations = InvalidationStream(scope.redis, scope.brand)
    followed = InvalidationReader(invalidations, cache, heads, marks, polls)
    home = HomeFeed(feeds, scope.service(CounterService), cache, heads, marks, polls, followed)
    return FeedService(policy, home, FeedUpdates(feeds, invalidations, policy))


def _consumers(scope: Scope) -> Sequence[Consumer]:
    updates = scope.service(FeedService).updates
    return updates.consumers() if updates else ()


def _reaction(scope: Scope) -> Reaction | None:
    updates = scope.service(FeedService).updates
    return updates.after_commit if updates else None


def _stream_reader(scope: Scope) -> StreamReader | None:
    home = scope.service(FeedService).home
    return home.invalidations if home else None


FEED = Feature(
    name="feed",
    needs=(ACCOUNTS, COLLECTIONS, COUNTERS, POSTS, PROFILES, RELATIONSHIPS),
    entities=(Entities("actors.feeds:KIND", FEEDS, "actors.feeds.calls:open_calls"),),
    policy=FeedPolicy,
    service=_service,
    consumers=_consumers,
    reaction=_reaction,
    stream_reader=_stream_reader,
)
