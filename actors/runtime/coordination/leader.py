"""One term of leadership: decides, stores, applies, tells the hosts; and keeps as many hosts as load wants."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from actors.runtime.coordination.host_actors import HostActors
from actors.runtime.coordination.plan import ShardPlan
from actors.runtime.coordination.scaling import HostLoad, Scaler
from actors.runtime.errors import HostUnavailable
from actors.runtime.metrics import HOSTS, MOVES
from actors.runtime.options import ScalingPolicy
from actors.runtime.store.rows import DATABASE_ERRORS, HostRow, LostLeadership, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.transport.ray_control import host_name

_GATHER_SECONDS = 3.0
"""How long an empty map waits for all wanted hosts after the first, so that shards need not move at once."""
_ENSURE_SECONDS = 2.0
"""Between two requests to Ray for a host that is wanted and not here."""
_HUNG_SECONDS = 45.0
"""After which a host that was here, and whose process Ray still believes in, is restarted. Of a node that is lost Ray
itself hears after 15.5 s; what is left is for the start, and each further restart leaves twice the time."""
_SCALE_SECONDS = 1.0
_REST_SECONDS = 5.0
"""How long a host that could not make a move is left alone: it may be cut off from where its shards should go."""

log = structlog.get_logger(__name__)


class Leader:
    """The acting coordinator. Every method raises LostLeadership once another leads; then it is of no more use."""

    def __init__(
        self,
        term: int,
        store: ShardStore,
        host_actors: HostActors,
        kinds: Sequence[str],
        policy: ScalingPolicy,
        publish: Callable[[], Awaitable[None]],
    ) -> None:
        """``publish`` is called after every change of the map."""
        self.term = term
        self._store = store
        self._host_actors = host_actors
        self._machine = ShardPlan(kinds)
        self._scaler = Scaler(policy)
        self._policy = policy
        self._publish = publish
        self._wanted = policy.min_hosts
        self._version = 0
        self._hosts: dict[str, HostRow] = {}
        self._names: set[str] = set()
        self._ensured_at: dict[str, float] = {}
        self._missing: dict[str, tuple[float, float]] = {}
        """Host's name to (since when, or since which restart, it is away; how long that may take)."""
        self._first_seen: float | None = None
        self._scaled_at = 0.0
        self._deciding = asyncio.Lock()
        self._releasing: set[tuple[str, int]] = set()
        self._resting: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Takes over the stored map."""
        self._version, rows = await self._store.shard_map()
        self._machine.apply(rows)
        self._hosts = {row.host: row for row in await self._store.hosts()}
        # Not how many are here: one that just restarts is still wanted, and no other in its place.
        settled = {row.name for row in self._hosts.values() if not row.draining}
        wanted = max((index + 1 for index in range(self._policy.max_hosts) if host_name(index) in settled), default=0)
        self._wanted = max(wanted, self._policy.min_hosts)

    async def tick(self, now: float) -> None:
        """One look at the hosts, and what follows from it. ``now`` is monotonic."""
        await self._store.expire_hosts(self.term)
        rows = await self._store.hosts()
        self._hosts = {row.host: row for row in rows}
        for row in superseded(rows):
            await self._store.deregister(self.term, row.host)
            del self._hosts[row.host]
        self._scale(now)
        await self._start_hosts(now)
        if self._gathered(now):
            living = {row.host: row.draining for row in self._hosts.values()}
            self._resting = {host: until for host, until in self._resting.items() if until > now}
            async with self._deciding:
                await self._store_rows(self._machine.repair(living), "repair")
                await self._end_moves(self._reported("released"), self._reported("refused"))
                await self._store_rows(self._machine.balance(living, self._resting), "")
            self._drive_moves()
            await self._deregister_drained()

    async def close(self) -> None:
        """Stops what is under way; the next leader drives the moves on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _gathered(self, now: float) -> bool:
        """Whether there are hosts enough to begin with."""
        if not self._hosts:
            return False
        if self._version > 0 or len(self._hosts) >= self._wanted:
            return True
        if self._first_seen is None:
            self._first_seen = now
        return now - self._first_seen >= _GATHER_SECONDS

    async def _store_rows(self, rows: Sequence[ShardRow], cause: str) -> None:
        if not rows:
            return
        affected = {row.host for row in rows} | {row.moving_to for row in rows}
        moved = []
        for row in rows:
            old = self._machine.rows[row.kind].get(row.shard)
            if old is not None:
                affected.add(old.host)
                if old.host != row.host:
                    moved.append(row)
        self._version = await self._store.write_map(self.term, rows)
        self._machine.apply(rows)
        for row in moved:
            MOVES.labels(row.kind, cause).inc()
        for host in affected & self._hosts.keys():
            self._spawn(self._host_actors.notify_map(self._hosts[host].name, self._version))
        await self._publish()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- moves --------------------------------------------------------------------------------------------

    def _drive_moves(self) -> None:
        """Asks owners to let go of shards that are to move, unless they are being asked."""
        groups: dict[str, list[ShardRow]] = defaultdict(list)
        for row in self._machine.moving():
            if (row.kind, row.shard) not in self._releasing and row.host in self._hosts:
                groups[row.host].append(row)
        for host, rows in groups.items():
            self._releasing.update((row.kind, row.shard) for row in rows)
            self._spawn(self._release(self._hosts[host].name, rows))

    async def _release(self, name: str, rows: Sequence[ShardRow]) -> None:
        """Asks until the host has nothing new to say: some of the shards may be let go long before others."""
        by_claim = {(row.kind, row.shard, row.epoch): row for row in rows}
        try:
            while by_claim:
                outcome = await self._host_actors.release(name, self._version, list(by_claim))
                released, refused = (
                    [by_claim.pop(claim) for claim in claims if claim in by_claim] for claims in outcome
                )
                if not released and not refused:
                    break
                async with self._deciding:
                    await self._end_moves(released, refused)
        except HostUnavailable as error:
            log.info("release.unanswered", host=name, error=str(error))
        except (LostLeadership, *DATABASE_ERRORS) as error:
            # The next look meets it too, if it lasts; moves that could not be stored are asked for again.
            log.warning("release.not_stored", host=name, error=f"{type(error).__name__}: {error}")
        finally:
            self._releasing.difference_update((row.kind, row.shard) for row in rows)

    def _reported(self, outcome: str) -> list[ShardRow]:
        """Moves whose end the hosts told with their heartbeats: they need no answer to ``release`` to go through."""
        rows = []
        for host in self._hosts.values():
            for kind, shard, epoch in host.load.get(outcome, ()):
                row = self._machine.rows.get(kind, {}).get(shard)
                if row is not None and (row.host, row.epoch) == (host.host, epoch):
                    rows.append(row)
        return rows

    async def _end_moves(self, released: Sequence[ShardRow], refused: Sequence[ShardRow]) -> None:
        await self._store_rows(self._machine.released(released), "balance")
        called_off = self._machine.refused(refused)
        for row in called_off:
            self._resting[row.host] = time.monotonic() + _REST_SECONDS
        await self._store_rows(called_off, "")

    # --- hosts --------------------------------------------------------------------------------------------

    def _scale(self, now: float) -> None:
        if now - self._scaled_at < _SCALE_SECONDS:
            return
        self._scaled_at = now
        loads = [host_load(row) for row in self._hosts.values() if not row.draining]
        wanted = self._scaler.decide(loads, self._wanted, now)
        if wanted != self._wanted:
            log.info("hosts.wanted", wanted=wanted, before=self._wanted)
        self._wanted = wanted
        HOSTS.labels("wanted").set(wanted)
        HOSTS.labels("living").set(len(self._hosts))

    async def _start_hosts(self, now: float) -> None:
        by_name = {row.name: row for row in self._hosts.values()}
        wanted = {host_name(index) for index in range(self._wanted)}
        self._names |= by_name.keys()
        for name in wanted - by_name.keys():
            since, patience = self._missing.setdefault(name, (now, _HUNG_SECONDS))
            if now - self._ensured_at.get(name, float("-inf")) >= _ENSURE_SECONDS:
                self._ensured_at[name] = now
                self._spawn(self._host_actors.ensure(name))
            if name in self._names and now - since >= patience:
                self._missing[name] = (now, 2 * patience)
                self._spawn(self._host_actors.stop(name, restart=True))
        for name, row in by_name.items():
            self._missing.pop(name, None)
            if (name not in wanted) != row.draining:
                await self._store.mark_draining(self.term, row.host, name not in wanted)
                # At once, so that a host that is wanted again is not deregistered in this very look.
                self._hosts[row.host] = replace(row, draining=name not in wanted)

    async def _deregister_drained(self) -> None:
        for row in list(self._hosts.values()):
            if row.draining and not self._machine.owned(row.host) and await self._store.deregister(self.term, row.host):
                await self._host_actors.stop(row.name)
                self._names.discard(row.name)
                del self._hosts[row.host]


def superseded(rows: Sequence[HostRow]) -> list[HostRow]:
    """Earlier incarnations of a host that started again on the same node: Ray starts one only after the other ended.

    On another node the earlier one may live on behind a broken network; its lease has to run out.
    """
    newest: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row.name, row.node)
        newest[key] = max(newest.get(key, ""), row.host)
    return [row for row in rows if row.host != newest[row.name, row.node]]


def host_load(row: HostRow) -> HostLoad:
    """A host's last report; one that never reported carries nothing."""
    load = row.load
    return HostLoad(
        calls_per_second=float(load.get("calls_per_second", 0.0)),
        queue_wait=float(load.get("queue_wait", 0.0)),
        memory=int(load.get("memory", 0)),
        idle_memory=int(load.get("idle_memory", 0)),
    )
