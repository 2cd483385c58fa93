"""One shard as one host sees it: a pure machine that follows the stored map.

| status   | the shard is                                                       | calls for it are  |
|----------|--------------------------------------------------------------------|-------------------|
| ABSENT   | another host's, or nobody's                                        | told who owns it  |
| LOADING  | this host's by the map; stored answers are being fetched           | parked            |
| ACTIVE   | this host's                                                        | delivered         |
| DRAINING | this host's and to be moved: turns finish, state is sent           | parked            |
| RELEASED | sent; still this host's by the map, memory kept                    | told the new host |
| INCOMING | another host's by the map, which is sending it here                | parked            |

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


class Part(Enum):
    """What becomes of a part of a handoff that arrived."""

    REFUSED = auto()
    """It is stale, or a part before it is missing."""
    REPEATED = auto()
    """It was taken before: nothing changes."""
    NEXT = auto()
    """It is added to what is here."""
    FIRST_OF_LATER = auto()
    """It begins a later handoff: what an earlier one left here is dropped first."""


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
    """Drop the state and tell parked calls who owns the shard."""


class Ownership:
    """The state machine. ``epoch`` is that of the status: ours, or for INCOMING the sender's."""

    __slots__ = ("complete", "epoch", "parts", "status", "to")

    def __init__(self) -> None:
        self.status = Status.ABSENT
        self.epoch = 0
        self.to = ""
        self.parts = 0
        """Parts of the handoff at ``epoch`` that were taken, while INCOMING."""
        self.complete = False
        """All of them were."""

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
                    # Others owned it in between: what is in memory is out of date.
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

    def receiving(self, epoch: int, part: int, *, last: bool) -> Part:
        """Part number ``part`` of the state arrived from the owner at ``epoch``, which sends it once at this epoch.

        Parts may come late and more than once: only the next one changes anything.
        """
        if self.status not in (Status.ABSENT, Status.INCOMING) or epoch < self.epoch:
            return Part.REFUSED
        under_way = self.status is Status.INCOMING and epoch == self.epoch
        expected = self.parts if under_way else 0
        if part != expected:
            return Part.REPEATED if part < expected else Part.REFUSED
        outcome = Part.FIRST_OF_LATER if self.status is Status.INCOMING and not under_way else Part.NEXT
        self.status = Status.INCOMING
        self.epoch = epoch
        self.parts = part + 1
        self.complete = last
        return outcome

    def gave_up(self, epoch: int) -> Action:
        """The map did not make the shard this host's for too long."""
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
        self.parts = 0
        self.complete = False
        return action
