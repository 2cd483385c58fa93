"""An entity while it has messages."""

from __future__ import annotations

import asyncio
from collections import deque

from actors.runtime.hosting.mailbox import Envelope, Mailbox, Shard
from actors.runtime.store.rows import Snapshot


class Activation:
    """An entity from the first message that waits for it until none does."""

    __slots__ = ("again", "entity_id", "fresh", "mailbox", "shard", "stored")

    def __init__(self, shard: Shard, entity_id: str, mailbox: Mailbox) -> None:
        self.shard = shard
        self.entity_id = entity_id
        self.mailbox = mailbox
        self.again: deque[Envelope] = deque()
        """Messages of a turn that came to nothing. They are to have the next turn to themselves."""
        self.stored: asyncio.Future[Snapshot | None] | None = None
        """The read of the stored entity, which is restored when its turn comes."""
        self.fresh = False
        """It was loaded or created just now, not handed off: its first message is the kind's ``on_load``."""

    def next_queue(self) -> deque[Envelope]:
        """Where the next turn's messages are."""
        if self.again:
            return self.again
        assert self.mailbox.inbox is not None
        return self.mailbox.inbox
