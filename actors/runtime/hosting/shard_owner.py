"""Following the map: what one host incarnation does when shards come to it and go from it.

Level-triggered: each sync reads what the stored map says and acts on the difference, so it does not matter
who told the host, how often, or in which order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog

from actors.runtime.clock import SYSTEM_CLOCK, Clock
from actors.runtime.errors import CallError, HostUnavailable, to_wire
from actors.runtime.hosting import handoff
from actors.runtime.hosting.deduplication import Origin
from actors.runtime.hosting.mailbox import Shard
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.ownership import Action, Ownership, Status
from actors.runtime.hosting.reads import answer_read
from actors.runtime.shard_map import UNREAD, MapPosition
from actors.runtime.store.rows import DATABASE_ERRORS, Claim, ShardRow
from actors.runtime.store.shard_store import ShardStore
from actors.runtime.supervise import BackgroundTasks
from actors.runtime.transport import reads
from actors.runtime.transport.frames import DONE, pack_answer
from actors.runtime.transport.router import Router
from actors.runtime.value import Value
from cluster.cancellation import raise_if_cancelled

_PING = "greeting"
_PING_SECONDS = 2.0
_TOGETHER_SECONDS = 0.02
"""How long the first shard that was let go waits for others, to go with them in one version of the map."""
_INCOMING_SECONDS = 30.0
"""How long shards that are being sent to us wait for the map to make them ours."""

log = structlog.get_logger(__name__)


class ShardOwner:
    """The shards of one host. ``mailboxes.host`` is the incarnation's id."""

    def __init__(self, store: ShardStore, router: Router, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._router = router
        self._clock = clock
        self.mailboxes = Mailboxes("", self._owner_of, clock)
        self.mailboxes.turns.on_stale = self._sync_soon
        self.mailboxes.on_runtime_call = self._runtime_call
        self.position = UNREAD
        """Up to where the map is known here."""
        self.diverged = False
        """Whether the database was seen to have gone back, as the map behind ``position``: this incarnation is to
        end."""
        self.load_failed = False
        """Whether the stored answers of some shards are still to be read, which the next ``sync`` does."""
        self._map: dict[tuple[str, int], ShardRow] = {}
        self._syncing = asyncio.Lock()
        self._incoming_since: dict[tuple[str, int], float] = {}
        self._drains: dict[tuple[str, int], asyncio.Task[Any]] = {}
        """Of the shards that are to leave, or left: first the greeting of the other host, then each its own."""
        self._tasks = BackgroundTasks()

    def _owner_of(self, kind: str, number: int) -> str:
        row = self._map.get((kind, number))
        return row.host if row is not None else ""

    # --- the map ------------------------------------------------------------------------------------------

    def _sync_soon(self) -> None:
        self._tasks.spawn("host.sync", self.sync_quietly())

    async def sync_quietly(self) -> None:
        """``sync`` where a failure may wait for the next heartbeat."""
        try:
            await self.sync()
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("map.unavailable", error=f"{type(error).__name__}: {error}")

    async def sync(self, at_least: MapPosition | None = None) -> None:
        """Reads the map and acts on it; nothing to do if it is known up to ``at_least`` already."""
        async with self._syncing:
            generation, version = self.position
            known = at_least is not None and at_least.generation == generation and version >= at_least.version
            if known and not self.load_failed:
                return
            me = self.mailboxes.host
            read = await self._store.shard_map(self.position)
            if self.mailboxes.host != me or self.diverged:
                return  # Declared dead meanwhile: the next incarnation reads the whole map.
            if not read.continues:
                log.warning("map.went_back", known=self.position, stored=read.position)
                self.diverged = True
                self.mailboxes.serve_until = 0.0
                return
            for row in read.rows:
                self._map[row.kind, row.shard] = row
            self._follow(row for row in read.rows if row.kind in self.mailboxes.shards)
            # At once: if the database goes back while answers are read, this is what is not known to it.
            self.position = read.position
            self.load_failed = True
            await self._load()
            self.load_failed = False

    def _follow(self, rows: Iterable[ShardRow]) -> None:
        drains: dict[str, list[tuple[Shard, int]]] = defaultdict(list)
        history: list[Shard] = []
        lost: list[Shard] = []
        for row in rows:
            known = self.mailboxes.shards[row.kind][row.shard]
            if known is None and row.host != self.mailboxes.host:
                continue
            shard = known or self.mailboxes.shard(row.kind, row.shard)
            match shard.ownership.mapped(row, self.mailboxes.host):
                case Action.LOAD:
                    history.append(shard)
                case Action.ACTIVATE:
                    self._drains.pop((row.kind, row.shard), None)
                    self.mailboxes.let_in(shard)
                case Action.DRAIN:
                    drains[row.moving_to].append((shard, row.epoch))
                case Action.DROP:
                    lost.append(shard)
                case Action.NONE:
                    pass
        self._forget([*history, *lost])
        for shard in lost:
            self.mailboxes.send_on(shard)
        for to, leaving in drains.items():
            task = self._tasks.spawn("host.hand_over", self._hand_over(leaving, to))
            for shard, _ in leaving:
                self._drains[shard.kind, shard.number] = task

    async def _load(self) -> None:
        """Fetches the stored answers of all shards that are LOADING, those of an attempt that failed among them."""
        shards = [shard for shard in self.mailboxes.present() if shard.ownership.status is Status.LOADING]
        if not shards:
            return
        epochs = [shard.ownership.epoch for shard in shards]
        now = self._clock.monotonic()
        for row in await self._store.answers((shard.kind, shard.number) for shard in shards):
            self.mailboxes.answers.restore((row.kind, row.shard), [row.answer], now)
        for shard, epoch in zip(shards, epochs, strict=True):
            if self.mailboxes.moves_budget.spent():
                # A host that takes over hundreds of shards has the calls of thousands of entities waiting. What
                # happens meanwhile shows in the shards' ownership.
                await asyncio.sleep(0)
            if shard.ownership.loaded(epoch) is Action.ACTIVATE:
                self.mailboxes.let_in(shard)
                # A move may have been asked for while the shard was loading.
                self._follow([self._map[shard.kind, shard.number]])

    def _forget(self, shards: Collection[Shard]) -> None:
        """Whatever is in memory of these shards is history. One look at the answers serves all of them."""
        for shard in shards:
            self.mailboxes.clear(shard)
            self._drains.pop((shard.kind, shard.number), None)
        if shards:
            self.mailboxes.answers.drop({(shard.kind, shard.number) for shard in shards})

    def abandon(self) -> None:
        """This incarnation was declared dead: everything is someone else's.

        The host also ends its connections: what is still under way on them was meant for this incarnation.
        """
        self.mailboxes.serve_until = 0.0
        self._map.clear()
        self.position = UNREAD
        self.diverged = False
        shards = list(self.mailboxes.present())
        self._forget(shards)
        for shard in shards:
            shard.ownership = Ownership()
            self.mailboxes.send_on(shard)

    # --- moves --------------------------------------------------------------------------------------------

    async def _hand_over(self, leaving: Sequence[tuple[Shard, int]], to: str) -> None:
        """Has shards (of an epoch each) sent to another host, each for itself.

        The host may be out of reach: until it has answered they are served as before.
        """
        try:
            await self._router.wait_for_host(to, _PING_SECONDS)
            await self._router.call_host(to, _PING, None, _PING_SECONDS)
        except CallError as error:
            log.warning("host.not_greeted", host=to, error=str(error))
            return
        # A move may have been called off meanwhile.
        going = [(shard, epoch) for shard, epoch in leaving if shard.ownership.leaving(epoch)]
        for shard, _ in going:
            shard.serving = False
        calls = self.mailboxes.answers.calls_of([(shard.kind, shard.number) for shard, _ in going])
        for shard, epoch in going:
            key = (shard.kind, shard.number)
            sending = handoff.send(self.mailboxes, self._router, shard, epoch, to, calls[key])
            self._drains[key] = self._tasks.spawn("host.handoff", sending)

    def moves(self) -> tuple[list[Claim], list[Claim]]:
        """The moves away from here that came to an end and are not in the map yet: (let go, could not be made).

        It goes with every heartbeat, for a leader whose question (``release``) does not get through.
        """
        return self._ended(
            [(kind, number, self.mailboxes.shard(kind, number).ownership.epoch) for kind, number in self._drains]
        )

    async def release(self, position: MapPosition, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        """Waits until drains that the map at ``position`` asked for come to an end: (let go, could not be let go).

        Some may be in neither: those that still drain, to be asked for again, and those whose epoch is history here.
        """
        await self.sync(position)
        while True:
            drains = [self._drains.get((kind, number)) for kind, number, _ in claims]
            under_way = {drain for drain in drains if drain is not None and not drain.done()}
            released, refused = self._ended(claims)
            if released or refused or not under_way:
                return released, refused
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait(under_way, timeout=_TOGETHER_SECONDS)

    def _ended(self, claims: Sequence[Claim]) -> tuple[list[Claim], list[Claim]]:
        released, refused = [], []
        for claim in claims:
            kind, number, epoch = claim
            if kind not in self.mailboxes.shards:
                released.append(claim)  # Another version of the code has it: nothing of it is here.
                continue
            ownership = self.mailboxes.shard(kind, number).ownership
            if ownership.epoch != epoch:
                continue
            drain = self._drains.get((kind, number))
            if ownership.status is Status.RELEASED:
                released.append(claim)
            elif ownership.status is Status.DRAINING and (drain is None or drain.done()):
                refused.append(claim)
        return released, refused

    def _runtime_call(self, origin: Origin, call: int, what: str, body: Value) -> None:
        """A call to this host's runtime."""
        try:
            match what:
                case _ if what == _PING:
                    reply: Value = True
                case _ if what == handoff.WHAT:
                    reply = handoff.take(self.mailboxes, body)
                    if reply:
                        self._incoming_since[body[0], body[1]] = self._clock.monotonic()
                case _ if what == reads.WHAT:
                    reply = answer_read(self.mailboxes, body)
                case _:
                    raise HostUnavailable(f"nothing here answers {what!r}")
        except CallError as error:
            origin.answer(pack_answer(call, *to_wire(error)))
        else:
            origin.answer(pack_answer(call, DONE, reply))

    def forget_incoming(self, now: float) -> None:
        """Drops shards whose handoff to us came to nothing."""
        lost = []
        for key, since in list(self._incoming_since.items()):
            shard = self.mailboxes.shard(*key)
            if shard.ownership.status is not Status.INCOMING:
                del self._incoming_since[key]
            elif now - since > _INCOMING_SECONDS:
                del self._incoming_since[key]
                if shard.ownership.gave_up(shard.ownership.epoch) is Action.DROP:
                    lost.append(shard)
        self._forget(lost)
        for shard in lost:
            self.mailboxes.send_on(shard)

    async def close(self) -> None:
        """Cancels what is under way."""
        await self._tasks.close()
        await self.mailboxes.close()
