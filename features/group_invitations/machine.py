"""A request to join a group: its states and what changes them. Pure."""

from enum import StrEnum


class JoinState(StrEnum):
    """Who asks is shown no difference between the two that wait, and none between the two that were withdrawn."""

    WAITING = "waiting"
    DECLINED = "declined"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    WITHDRAWN_DECLINED = "withdrawn_declined"
    """Withdrawn after it was declined: to ask again does not undo that."""


class Step(StrEnum):
    """What people do with a request."""

    ASK = "ask"
    """Again: somebody who was let in may be out of the group by now."""
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    DECLINE = "decline"


PENDING = (JoinState.WAITING, JoinState.DECLINED)
"""What waits in the eyes of whoever has asked."""

_NEXT = {
    (JoinState.WAITING, Step.ASK): JoinState.WAITING,
    (JoinState.DECLINED, Step.ASK): JoinState.DECLINED,
    (JoinState.APPROVED, Step.ASK): JoinState.WAITING,
    (JoinState.WITHDRAWN, Step.ASK): JoinState.WAITING,
    (JoinState.WITHDRAWN_DECLINED, Step.ASK): JoinState.DECLINED,
    (JoinState.WAITING, Step.WITHDRAW): JoinState.WITHDRAWN,
    (JoinState.DECLINED, Step.WITHDRAW): JoinState.WITHDRAWN_DECLINED,
    (JoinState.WAITING, Step.APPROVE): JoinState.APPROVED,
    (JoinState.APPROVED, Step.APPROVE): JoinState.APPROVED,
    (JoinState.WAITING, Step.DECLINE): JoinState.DECLINED,
    (JoinState.DECLINED, Step.DECLINE): JoinState.DECLINED,
}


def advance(state: JoinState, step: Step) -> JoinState | None:
    """Returns the state after a step; None if it is impossible, for whoever takes it as if there were no request. A
    repeated step changes nothing."""
    return _NEXT.get((state, step))
