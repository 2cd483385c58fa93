"""Soft timers (the After effect): in memory, with the entity, and only while the host has its lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actors.runtime.clock import Clock
from actors.runtime.hosting.mailbox import Envelope, HostState, Mailbox, Shard, SoftTimer
from actors.runtime.value import Value


class SoftTimers:
    """Delivers the messages that entities set for later."""

    def __init__(self, state: HostState, admit: Callable[[Shard, Envelope], None], clock: Clock) -> None:
        self._state = state
        self._admit = admit
        self._clock = clock
        self._overdue: list[tuple[Shard, str, Mailbox, SoftTimer]] = []
        """Timers that were due after the lease had ended."""

    def arm(self, shard: Shard, entity_id: str, mailbox: Mailbox, seconds: float, message: Value) -> None:
        """Delivers ``message`` to the entity in ``seconds``, if its shard is still here."""
        loop = asyncio.get_running_loop()
        timer = SoftTimer(loop.time() + seconds, message)
        timer.handle = loop.call_later(seconds, self._fire, shard, entity_id, mailbox, timer)
        mailbox.timers += (timer,)

    def fire_due(self, shard: Shard) -> None:
        """Delivers what became due while the shard was not served."""
        now = self._clock.monotonic()
        for entity_id, mailbox in list(shard.mailboxes.items()):
            for timer in mailbox.timers:
                if timer.due <= now:
                    self._fire(shard, entity_id, mailbox, timer)

    def lease_renewed(self) -> None:
        """Delivers what became due while the host had no lease."""
        overdue, self._overdue = self._overdue, []
        for timer in overdue:
            self._fire(*timer)

    def _fire(self, shard: Shard, entity_id: str, mailbox: Mailbox, timer: SoftTimer) -> None:
        # While the entity is not served the timer stays in the mailbox, and travels or fires later with its shard.
        if not shard.serves(entity_id) or not shard.has(entity_id, mailbox) or timer not in mailbox.timers:
            return
        if self._clock.monotonic() >= self._state.serve_until:
            self._overdue.append((shard, entity_id, mailbox, timer))
            return
        mailbox.timers = tuple(other for other in mailbox.timers if other is not timer)
        self._admit(shard, Envelope.internal(entity_id, timer.message))
