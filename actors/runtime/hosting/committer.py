"""Group commit: the turns of many entities that are ready together share a transaction.

While one transaction commits, the next one fills. A turn is in one transaction at a time, and so is a shard: the
coordinator, which waits for the lock of a shard's row, is not kept waiting by transactions that overlap.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from actors.runtime.store.transaction_errors import is_connection_error, is_timeout
from actors.runtime.store.turn_writes import TurnWrite
from actors.runtime.supervise import BackgroundTasks
from cluster.cancellation import raise_if_cancelled

TRANSACTIONS = 2
"""Transactions of a host that are under way at the same time."""
MAX_TURNS = 512
"""Turns of one transaction."""
HALVING_SECONDS = 5.0
"""How long turns are tried again by halves once a transaction took too long. If it then still happens, it is not for
one turn's sake."""

log = structlog.get_logger(__name__)


class TurnStore(Protocol):
    """Where turns are committed: `TurnWrites`."""

    async def commit(self, writes: Sequence[TurnWrite], *, briefly: bool = False) -> Mapping[TurnWrite, Exception]:
        """See TurnWrites.commit."""


class _Waiting:
    """A turn that waits for its commit."""

    __slots__ = ("committed", "in_transaction", "write")

    def __init__(self, write: TurnWrite) -> None:
        self.write = write
        self.in_transaction = False
        self.committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def shard(self) -> tuple[str, int]:
        return self.write.fence.kind, self.write.fence.shard

    def settle(self, error: Exception | None) -> None:
        if self.committed.done():
            return  # nobody waits any more: the host stops
        if error is None:
            self.committed.set_result(None)
        else:
            self.committed.set_exception(error)


class Committer:
    """Commits the turns of one host. One entity's failure takes no other turn with it."""

    def __init__(self, store: TurnStore, *, transactions: int = TRANSACTIONS, max_turns: int = MAX_TURNS) -> None:
        self._store = store
        self._transactions = transactions
        self._max_turns = max_turns
        self._waiting: list[_Waiting] = []
        self._busy_shards: Counter[tuple[str, int]] = Counter()
        """Shards that are in a transaction, with how many turns."""
        self._under_way = 0
        self._scheduled = False
        self._tasks = BackgroundTasks()

    def commit(self, write: TurnWrite) -> asyncio.Future[None]:
        """Is done once the turn is committed, with StaleEpoch, AlreadyAnswered, or whatever its transaction failed
        with if it is not stored."""
        waiting = _Waiting(write)
        self._waiting.append(waiting)
        if not self._scheduled:
            # Not at once: the other turns of this iteration of the event loop go with it.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._begin)
        return waiting.committed

    async def close(self) -> None:
        """Abandons the transactions under way and what waits for the next one. Whoever awaits a commit is cancelled."""
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            turn.committed.cancel()
        await self._tasks.close()

    def _begin(self) -> None:
        self._scheduled = False
        while self._under_way < self._transactions and (batch := self._take()):
            self._under_way += 1
            self._tasks.spawn("committer.transaction", self._run(batch))

    def _take(self) -> list[_Waiting]:
        """The turns of the next transaction, in the order in which they came."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        for waiting in self._waiting:
            takes = len(batch) < self._max_turns and waiting.shard not in self._busy_shards
            (batch if takes else left).append(waiting)
        self._waiting = left
        for waiting in batch:
            waiting.in_transaction = True
            self._busy_shards[waiting.shard] += 1
        return batch

    async def _run(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._commit(batch)
        finally:
            for waiting in batch:
                waiting.committed.cancel()  # only where this task was cancelled is one left
                self._leave(waiting)
            self._under_way -= 1
            self._begin()

    async def _commit(self, batch: Sequence[_Waiting], halve_until: float | None = None) -> None:
        """Commits the batch, by halves if it fails as a whole, so that the turn it failed of is left alone.

        ``halve_until`` is given once a transaction took too long. From then on those of several turns get little
        time, so that others do not wait long for the one that is to blame, which has the full time when it is alone.
        """
        briefly = halve_until is not None and len(batch) > 1
        try:
            refused = await self._store.commit([waiting.write for waiting in batch], briefly=briefly)
        except Exception as error:  # noqa: BLE001 - handed to the turns that wait
            raise_if_cancelled()
            now = asyncio.get_running_loop().time()
            too_long = is_timeout(error)
            if too_long and halve_until is None:
                halve_until = now + HALVING_SECONDS
            gives_up = too_long and halve_until is not None and now >= halve_until
            if is_connection_error(error) or len(batch) == 1 or gives_up:
                self._settle(batch, dict.fromkeys((waiting.write for waiting in batch), error))
                return
            log.warning("transaction.halved", turns=len(batch), error=f"{type(error).__name__}: {error}")
            middle = len(batch) // 2
            await self._commit(batch[:middle], halve_until)
            await self._commit(batch[middle:], halve_until)
        else:
            self._settle(batch, refused)

    def _settle(self, batch: Sequence[_Waiting], errors: Mapping[TurnWrite, Exception]) -> None:
        """Tells those that wait. Their shards' next turns need not wait for other halves."""
        for waiting in batch:
            waiting.settle(errors.get(waiting.write))
            self._leave(waiting)
        self._begin()

    def _leave(self, waiting: _Waiting) -> None:
        """The turn's transaction is over."""
        if waiting.in_transaction:
            waiting.in_transaction = False
            self._busy_shards[waiting.shard] -= 1
            if not self._busy_shards[waiting.shard]:
                del self._busy_shards[waiting.shard]
