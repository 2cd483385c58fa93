"""The lease of one host incarnation: registers it and renews its row by heartbeats until it is declared dead."""

from __future__ import annotations

import asyncio

import structlog

from actors.runtime.clock import Clock
from actors.runtime.hosting.report import Reporter
from actors.runtime.hosting.shard_owner import ShardOwner
from actors.runtime.store.history import History
from actors.runtime.store.rows import DATABASE_ERRORS, HostRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks
from cluster.cancellation import raise_if_cancelled

_BEATS_PER_LEASE = 5
_BEAT_SECONDS = 0.5
"""The longest pause between two heartbeats, however long the lease."""

log = structlog.get_logger(__name__)


class HostLease:
    """Keeps one incarnation alive. ``serve_until`` of the host's mailboxes is what the lease allows."""

    def __init__(
        self,
        store: ShardStore,
        row: HostRow,
        seconds: float,
        shard_owner: ShardOwner,
        history: History,
        reporter: Reporter,
        tasks: BackgroundTasks,
        clock: Clock,
    ) -> None:
        """``store`` is for the lease alone: with entities' writes in its pool, heartbeats would wait behind them.
        ``history`` has what this process committed."""
        self._store = store
        self._row = row
        self._seconds = seconds
        self._shard_owner = shard_owner
        self._history = history
        self._reporter = reporter
        self._tasks = tasks
        self._clock = clock
        self.held = False
        """Whether the incarnation is registered and was not declared dead since."""

    async def keep(self) -> None:
        """Sends heartbeats, through outages of the database. Returns once the incarnation was declared dead, or the
        database went back behind what it knows: then its memory belongs to a history that is no more."""
        seconds, host = self._seconds, self._row.host
        pause = min(_BEAT_SECONDS, seconds / _BEATS_PER_LEASE)
        owner = self._shard_owner
        owner.mailboxes.host = host
        while not owner.diverged:
            # Taken before the row's own time, so the host stops before the leader gives its shards away.
            sent_at = self._clock.monotonic()
            try:
                if not self.held:
                    await self._store.with_timeout(seconds, self._store.register(self._row, seconds))
                    self.held = True
                released, refused = owner.moves()
                load = self._reporter.report(sent_at) | {"released": released, "refused": refused}
                known = owner.position
                heartbeat = self._store.heartbeat(host, seconds, load, known, at=sent_at, known=self._history.known())
                beat = await self._store.with_timeout(seconds, heartbeat)
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                log.warning("heartbeat.failed", host=host, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause / 4)
                continue
            if beat is None or not beat.continues or owner.diverged:
                owner.diverged = beat is not None
                break
            self._history.beat(sent_at)
            owner.mailboxes.serve_until = sent_at + seconds
            if beat.position not in (known, owner.position) or owner.load_failed:
                self._tasks.spawn("host.sync", owner.sync_quietly())
            await asyncio.sleep(max(0.0, pause - (self._clock.monotonic() - sent_at)))
        self.held = False
