"""Entities that get no messages are told to take less memory, until they leave it."""

from __future__ import annotations

import asyncio
from math import inf

import structlog

from actors.runtime.hosting.loop_budget import LoopBudget
from actors.runtime.hosting.mailboxes import Mailboxes
from actors.runtime.hosting.scheduler import SLICE_SECONDS

REST_SECONDS = 10.0
"""Without a message, after which an entity rests."""

log = structlog.get_logger(__name__)


class Resting:
    """Tells the entities of one host."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._budget = LoopBudget(SLICE_SECONDS, mailboxes.clock)
        self._told_until = -inf
        """Entities whose last message came before this (monotonic seconds) were told."""

    async def rest(self, now: float) -> int:
        """Tells the entities that have rested long enough, each once. Returns how many. It gives the event loop back
        after each slice."""
        since, self._told_until = self._told_until, now - REST_SECONDS
        rested = 0
        for kind, shards in self._mailboxes.shards.items():
            rest = self._mailboxes.runners[kind].kind.rest
            if rest is None:
                continue
            for shard in shards:
                mailboxes = () if shard is None else shard.mailboxes.items()
                idle = [each for each in mailboxes if since <= each[1].used_at < self._told_until]
                for entity_id, mailbox in idle:
                    if self._budget.spent():
                        await asyncio.sleep(0)
                    if mailbox.inbox is None and mailbox.entity is not None and mailbox.used_at < self._told_until:
                        try:
                            rest(mailbox.entity)
                            rested += 1
                        except Exception:
                            # A defect of the machine's, whatever it raises: it goes on as it is, and so do the others.
                            log.exception("entity.not_rested", kind=kind, entity=entity_id)
        return rested
