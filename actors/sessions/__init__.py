"""The entity kind `actors.sessions:KIND`: one live session per user."""

from actors.runtime import EntityKind
from actors.sessions.effects import KIND_NAME, SessionEffects, new_stream
from actors.sessions.entity import SNAPSHOT_VERSION, SessionEntity
from features.live_sessions.policy import LiveSessionPolicy

KIND = EntityKind(
    KIND_NAME,
    create=lambda user, context: SessionEntity.create(user, new_stream(), context.policy),
    restore=lambda user, version, snapshot, context: SessionEntity.restore(user, version, snapshot, context.policy),
    version=SNAPSHOT_VERSION,
    policy=LiveSessionPolicy,
    handler=SessionEffects,
    passivate_after=120.0,
)

__all__ = ["KIND"]
