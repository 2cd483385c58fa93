"""One shard as one host sees it: a pure machine that follows the stored map.

| status   | means                                                  | calls for the shard are       |
|----------|--------------------------------------------------------|-------------------------------|
| ABSENT   | someone else's, or nobody's                            | told who owns it              |
| LOADING  | ours by the map; stored answers are being fetched      | parked                          |
| ACTIVE   | ours                                                   | delivered                     |
| DRAINING | ours and to be moved: turns finish, state is sent      | parked                          |
| RELEASED | sent; still ours by the map, memory kept               | told the new host             |
| INCOMING | someone else's by the map, who is sending it to us     | parked                          |

Every event is safe to repeat. The map only ever moves forward (the host reads it in order).
"""

from __future__ import annotations

from enum import Enum, auto

from actors.runtime.store.rows import ShardRow


class Status(Enum):
    ABSENT = auto()
    LOADING = auto()
    ACTIVE = auto()
    DRAINING = auto()
    RELEASED = auto()
    INCOMING = auto()


class Action(Enum):
    """What the shell does after an event."""

    NONE = auto()
    LOAD = auto()
    """Drop what is in memory, fetch stored answers, then report ``loaded``."""
    ACTIVATE = auto()
    """Deliver parked calls: the state is in memory (or came with the handoff)."""
    DRAIN = auto()
    """Finish turns, send the state to ``to``, then report ``sent``."""
    DROP = auto()
    """Forget state and tell parked calls who owns the shard."""


class Ownership:
    """The state machine. ``epoch`` is that of the status: ours, or for INCOMING the sender's."""

    __slots__ = ("complete", "epoch", "status", "to")

    def __init__(self) -> None:
        self.status = Status.ABSENT
        self.epoch = 0
        self.to = ""
        self.complete = False

    def mapped(self, row: ShardRow, me: str) -> Action:
        """The stored map says ``row`` for this shard."""
        if row.host == me:
            return self._ours(row)
        if self.status is Status.ABSENT or row.epoch < self.epoch:
            return Action.NONE
        if self.status is Status.INCOMING and row.epoch == self.epoch:
            return Action.NONE
        return self._become(Status.ABSENT, row.epoch, Action.DROP)

    def _ours(self, row: ShardRow) -> Action:
        match self.status:
            case Status.ACTIVE | Status.DRAINING | Status.RELEASED:
                if row.epoch < self.epoch:
                    return Action.NONE
                if row.epoch > self.epoch + 1:
                    # Others owned it in between: what is in memory is history.
                    return self._become(Status.LOADING, row.epoch, Action.LOAD)
                if not row.moving_to:
                    was = self.status
                    self._become(Status.ACTIVE, row.epoch, Action.NONE)
                    return Action.NONE if was is Status.ACTIVE else Action.ACTIVATE
                if self.status is Status.ACTIVE or row.epoch > self.epoch:
                    return self._drain(row)
                return Action.NONE
            case Status.INCOMING if self.complete and row.epoch == self.epoch + 1:
                if row.moving_to:
                    # It is to go on before it was ever served here.
                    return self._drain(row)
                return self._become(Status.ACTIVE, row.epoch, Action.ACTIVATE)
            case Status.LOADING if row.epoch <= self.epoch:
                return Action.NONE
            case _:
                return self._become(Status.LOADING, row.epoch, Action.LOAD)

    def loaded(self, epoch: int) -> Action:
        """Stored answers for ``epoch`` are in memory."""
        if self.status is Status.LOADING and self.epoch == epoch:
            return self._become(Status.ACTIVE, epoch, Action.ACTIVATE)
        return Action.NONE

    def leaving(self, epoch: int) -> bool:
        """Whether the move that was asked for at ``epoch`` is under way (and was not called off)."""
        return self.status is Status.DRAINING and self.epoch == epoch

    def sent(self, epoch: int) -> bool:
        """The new host confirmed that it has everything: True if that still matters."""
        if self.leaving(epoch):
            self.status = Status.RELEASED
            return True
        return False

    def receiving(self, epoch: int, *, last: bool) -> bool:
        """A part of the state arrived from the owner at ``epoch``: False if it is stale and to be ignored."""
        if self.status not in (Status.ABSENT, Status.INCOMING) or epoch < self.epoch:
            return False
        self.status = Status.INCOMING
        self.epoch = epoch
        self.complete = last
        return True

    def gave_up(self, epoch: int) -> Action:
        """Nothing came of a handoff to us for too long."""
        if self.status is Status.INCOMING and self.epoch == epoch:
            return self._become(Status.ABSENT, epoch, Action.DROP)
        return Action.NONE

    def _drain(self, row: ShardRow) -> Action:
        self._become(Status.DRAINING, row.epoch, Action.NONE)
        self.to = row.moving_to
        return Action.DRAIN

    def _become(self, status: Status, epoch: int, action: Action) -> Action:
        self.status = status
        self.epoch = epoch
        self.to = ""
        self.complete = False
        return action
