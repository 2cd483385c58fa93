"""Messages that wait for a shard which loads or moves. They are let in or sent on a slice at a time: a shard may have
tens of thousands, and the lease is renewed by the same event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from actors.runtime.hosting.loop_budget import LoopBudget
from actors.runtime.hosting.mailbox import Envelope, Shard


class ParkedMessages:
    """What is parked at one host, in ``Shard.parked``."""

    def __init__(
        self,
        let_in: Callable[[Shard, Envelope], None],
        turn_away: Callable[[Shard, Envelope], None],
        all_in: Callable[[Shard], None],
        budget: LoopBudget,
    ) -> None:
        """``let_in`` and ``turn_away`` are called for each message, ``all_in`` when a shard has let in its last."""
        self._let_in = let_in
        self._turn_away = turn_away
        self._all_in = all_in
        self._budget = budget
        self._entering: dict[Shard, None] = {}
        """Shards that let in what is parked, in order. Their other entities are served meanwhile."""
        self._leaving: deque[tuple[Shard, list[Envelope]]] = deque()
        """What is sent on: the messages of one entity each."""
        self._scheduled = False

    def let_in(self, shard: Shard) -> None:
        """Lets in what is parked, each entity's in order, for as long as the shard is served."""
        self._entering[shard] = None
        self._go_on()

    def send_on(self, shard: Shard) -> None:
        """Turns away what is parked now."""
        parked, shard.parked = shard.parked, {}
        self._leaving.extend((shard, envelopes) for envelopes in parked.values())
        self._go_on()

    def _go_on(self) -> None:
        while self._leaving or self._entering:
            if self._budget.spent():
                if not self._scheduled:
                    self._scheduled = True
                    asyncio.get_running_loop().call_soon(self._resume)
                return
            if self._leaving:
                shard, envelopes = self._leaving.popleft()
                for envelope in envelopes:
                    self._turn_away(shard, envelope)
            else:
                self._enter(next(iter(self._entering)))

    def _resume(self) -> None:
        self._scheduled = False
        self._go_on()

    def _enter(self, shard: Shard) -> None:
        """Lets in the messages of one entity."""
        if shard.serving and shard.parked:
            for envelope in shard.parked.pop(next(iter(shard.parked))):
                self._let_in(shard, envelope)
            return
        del self._entering[shard]
        if shard.serving:
            self._all_in(shard)
