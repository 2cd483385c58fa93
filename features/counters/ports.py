"""The interface of the counters in memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from features.counters.model import Counted, Target
from features.ports import Port


class CountersUnavailable(Exception):
    """The counters could not be reached, or not in time. A reaction may have been stored all the same."""


class Counters(Protocol):
    """The counters of targets, each with one writer. All methods raise CountersUnavailable."""

    async def react(self, target: Target, account_id: UUID, kind: str | None, at: datetime) -> None:
        """Stores an account's reaction, in place of its former one; None: removes it. Returns when it is durable, and
        every later `read` has it."""

    async def read(self, targets: Sequence[Target], viewer_id: UUID | None) -> list[Counted]:
        """Returns the counts of targets, and the viewer's reactions to them."""

    async def reload(self, target: Target) -> None:
        """Reads a target's counters from Postgres again. Every write that was under way has ended when this returns."""


COUNTERS: Port[Counters] = Port("counters")
