"""The entity kind `actors.feeds:KIND`: a timeline per reader and per high-fan-out author."""

from actors.feeds.effects import FeedEffects
from actors.feeds.entity import KIND_NAME, FeedEntity
from actors.runtime import EntityKind
from features.feed.machine import SNAPSHOT_VERSION, Timeline
from features.feed.policy import FeedPolicy

KIND = EntityKind(
    KIND_NAME,
    create=lambda _id, _context: FeedEntity(Timeline()),
    restore=lambda _id, version, snapshot, _context: FeedEntity(Timeline.restore(version, snapshot)),
    version=SNAPSHOT_VERSION,
    policy=FeedPolicy,
    handler=FeedEffects,
    passivate_after=900.0,
)

__all__ = ["KIND"]
