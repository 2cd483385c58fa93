"""The entity kind `actors.feeds:KIND`: a timeline per reader and per high-fan-out author."""

from actors.feeds.effects import FeedEffects
from actors.feeds.entity import KIND_NAME, FeedEntity
from actors.runtime import EntityKind
from features.feed.machine import SNAPSHOT_VERSION

KIND = EntityKind(
    KIND_NAME,
    create=FeedEntity.create,
    restore=FeedEntity.restore,
    version=SNAPSHOT_VERSION,
    open_handler=FeedEffects.open,
    passivate_after=900.0,
)

__all__ = ["KIND"]
