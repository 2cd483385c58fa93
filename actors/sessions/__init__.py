"""The entity kind `actors.sessions:KIND`: one live session per user."""

from actors.runtime import EntityKind
from actors.sessions.effects import KIND_NAME, SessionEffects, new_stream
from actors.sessions.entity import SNAPSHOT_VERSION, SessionEntity
from features.live_sessions.policy import LiveSessionPolicy

_POLICY = LiveSessionPolicy()

KIND = EntityKind(
    KIND_NAME,
    create=lambda user: SessionEntity.create(user, new_stream(), _POLICY),
    restore=lambda user, version, snapshot: SessionEntity.restore(user, version, snapshot, _POLICY),
    version=SNAPSHOT_VERSION,
    open_handler=SessionEffects.open,
    passivate_after=120.0,
)

__all__ = ["KIND"]
