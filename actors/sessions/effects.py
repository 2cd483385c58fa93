"""Executes the effects of live session entities: first the journal, then sockets, then watchers."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

import structlog

from actors.delivery.hosts import RealtimeHosts
from actors.runtime import CallError, EffectHandler, KindContext, Turn, Value
from actors.runtime.kind import Entity
from actors.runtime.store.rows import StaleEpoch
from actors.sessions.entity import Announce, Disconnect, Publish, Save, SessionEntity, Tell, TellSessions
from cluster.cancellation import raise_if_cancelled
from cluster.metrics import Counter
from cluster.storage_errors import DATABASE_ERRORS
from features.live_sessions.machine import LiveSession, Presence, PresenceState
from features.live_sessions.outbox import Outbox
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAccess
from features.live_sessions.store import JournalStore, JournalUnavailable, StaleJournal, Write
from features.realtime.events import Batch

KIND_NAME = "sessions"
_CALL_TIMEOUT_S = 5.0
_SAVE_AGAIN_S = 5.0

PUSHED = Counter("entativa_live_sessions_events_total", "Events numbered for users")
UNSAFE = Counter("entativa_live_sessions_unjournaled_total", "Journal writes that failed; delivery went on")
LOST_PUSHES = Counter("entativa_live_sessions_lost_pushes_total", "Pushes to hosts that did not answer; resumed later")

log = structlog.get_logger(__name__)


def new_stream() -> str:
    """Returns a new stream name: 12 characters, 72 random bits."""
    return secrets.token_urlsafe(9)


class SessionEffects(EffectHandler[LiveSessionPolicy]):
    """Effects of the live session entities of one host process."""

    def __init__(self, context: KindContext[LiveSessionPolicy]) -> None:
        super().__init__(context)
        self._router = context.router
        self._store = JournalStore(context.redis, context.brand, context.policy)
        self._hosts = RealtimeHosts(context.node, context.secret)
        self._audience = PresenceAccess(context.database)
        self._tasks: set[asyncio.Task[None]] = set()
        self._retrying: set[str] = set()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._hosts.close()

    async def load(self, entity_id: str) -> Entity:
        """Loads a session from its journal under a new stream name. Without Redis the session starts empty, and clients
        resync."""
        policy = self.context.policy
        try:
            stored = await self._store.load(entity_id)
        except JournalUnavailable as error:
            log.warning("session journal unreadable", user=entity_id, error=str(error))
            return SessionEntity.create(entity_id, new_stream(), policy)
        if stored is None:
            return SessionEntity.create(entity_id, new_stream(), policy)
        saved = stored.state
        forks = {**stored.forks, stored.stream: stored.last}
        outbox = Outbox.load(new_stream(), policy, stored.last, forks, stored.entries)
        session = LiveSession.load(policy, outbox, saved) if saved else LiveSession(policy, outbox)
        return SessionEntity(entity_id, session, found=stored.stream, journaled=stored.last)

    async def act(self, turn: Turn) -> Sequence[Value]:
        """Raises StaleEpoch when another owner has written the journal. How far the journal goes is set in the entity,
        in place: no event must overtake it (docs/runtime.md)."""
        entity = turn.entity
        assert isinstance(entity, SessionEntity)
        published = [effect.seq for effect in turn.effects if isinstance(effect, Publish)]
        save = any(isinstance(effect, Save) for effect in turn.effects)
        if published or save:
            await self._journal(entity, save=save)
        if published:
            PUSHED.inc(len(published))
            self._publish(entity, published[0])
        for effect in turn.effects:
            match effect:
                case Disconnect(sockets):
                    for host, connection in sockets:
                        self._spawn(self._disconnect(host, connection))
                case Tell(kind, data):
                    for host, connections in entity.session.by_host().items():
                        self._spawn(self._tell(entity.user, host, connections, kind, data))
                case TellSessions(kind, by_session):
                    for device, signals in by_session.items():
                        for host, connections in entity.session.by_host(device).items():
                            for data in signals:
                                self._spawn(self._tell(entity.user, host, connections, kind, data))
                case Announce(state):
                    self._spawn(self._announce(entity, state))
        return ()

    # --- the journal -----------------------------------------------------------------------------------------

    async def _journal(self, entity: SessionEntity, *, save: bool) -> None:
        try:
            if not await self._write(entity, save=save or entity.unsaved):
                await self._write(entity, save=True)
        except StaleJournal as stale:
            raise StaleEpoch(f"the journal of session {entity.user} has another writer") from stale
        except JournalUnavailable as error:
            # Delivery continues. If this process crashes now, its successor knows the stream only up to what was
            # journaled, and clients that are further ahead resync.
            log.warning("session journal unavailable", user=entity.user, error=str(error))
            entity.unsaved = True
            if entity.user not in self._retrying:
                self._retrying.add(entity.user)
                self._spawn(self._save_again(entity.user))
            UNSAFE.inc()
        else:
            entity.unsaved = False

    async def _save_again(self, user: str) -> None:
        """Saves until the journal accepts it. The calls also keep the entity in memory."""
        try:
            unsaved = True
            while unsaved:
                await asyncio.sleep(_SAVE_AGAIN_S)
                with contextlib.suppress(CallError):
                    unsaved = await self._router.call(KIND_NAME, user, ["flush"], _CALL_TIMEOUT_S)
        finally:
            self._retrying.discard(user)

    async def _write(self, entity: SessionEntity, *, save: bool) -> bool:
        """See JournalStore.write."""
        outbox = entity.session.outbox
        entries = outbox.entries(entity.journaled + 1)
        state = entity.session.save() if save else None
        write = Write(
            entity.user, entity.found, outbox.stream, entity.journaled, outbox.last, outbox.first, entries, state
        )
        has_state = await self._store.write(write)
        entity.journaled = outbox.last
        return has_state

    # --- sockets ---------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, entity: SessionEntity, first: int) -> None:
        batch = entity.session.outbox.batch(first)
        for host, connections in entity.session.by_host().items():
            self._spawn(self._deliver(entity.user, host, connections, batch))

    async def _deliver(self, user: str, host: str, connections: list[str], batch: Batch) -> None:
        try:
            unknown = await self._hosts.deliver(host, connections, batch)
            await self._forget(user, unknown)
        except CallError as fault:
            # The clients of a lost host resume from their own numbers; those of a host that was only cut off
            # learn from their next lease what they have missed.
            LOST_PUSHES.inc()
            log.info("push failed", host=host, fault=str(fault))

    async def _tell(self, user: str, host: str, connections: list[str], kind: str, data: Any) -> None:
        try:
            await self._forget(user, await self._hosts.signal(host, connections, kind, data))
        except CallError as fault:
            log.info("signal failed", host=host, fault=str(fault))

    async def _forget(self, user: str, connections: list[str]) -> None:
        if connections:
            await self._router.call(KIND_NAME, user, ["detach", connections], _CALL_TIMEOUT_S)

    async def _disconnect(self, host: str, connection: str) -> None:
        try:
            await self._hosts.revoke(host, [connection])
        except CallError as fault:
            # The socket's next lease is refused, which closes it as well.
            log.warning("revocation did not reach its host", host=host, fault=str(fault))

    # --- presence --------------------------------------------------------------------------------------------

    async def _announce(self, entity: SessionEntity, state: PresenceState) -> None:
        session = entity.session
        if not session.watchers:
            return
        owner = UUID(entity.user)
        asked = [(owner, UUID(viewer)) for viewer in session.watchers]
        try:
            offline = state.presence is Presence.OFFLINE
            allowed = await (self._audience.told_of_end(asked) if offline else self._audience.allowed(asked))
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("presence not announced", error=str(error))  # unknown permissions: send to nobody
            return
        signal = {"user": entity.user, "presence": state.presence.value, "last_seen": int(state.last_seen)}
        calls = [
            self._router.call(KIND_NAME, str(viewer), ["signal", "presence", signal], _CALL_TIMEOUT_S)
            for _, viewer in allowed
        ]
        await asyncio.gather(*calls, return_exceptions=True)
