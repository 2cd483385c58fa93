"""The states of a friend request, and the decision on a new request.

    WAITING --accept, cross-> ACCEPTED      REFUSED --cross-----> ACCEPTED
    WAITING --refuse--------> REFUSED       REFUSED --resend----> WAITING
    WAITING --withdraw------> WITHDRAWN     REFUSED --withdraw--> WITHDRAWN
    WAITING --sever---------> SEVERED       REFUSED --sever-----> SEVERED

A sender is not told of a refusal: a refused request looks like one that still waits. It stays in the list, can be
withdrawn, and sending it again has the same response. During the cool-down a new request after a withdrawn one is
REFUSED from its start: its sender sees it, its recipient does not. After the cool-down, sending again resends it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto

from features.friends.errors import (
    AlreadyFriends,
    TheyHaveTooManyFriends,
    TooManyFriends,
    TooManyPendingRequests,
    TooManyRequestsSent,
)
from features.friends.policy import FriendPolicy


class RequestState(StrEnum):
    WAITING = "waiting"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    SEVERED = "severed"
    """Ended by a block."""


OPEN = frozenset({RequestState.WAITING, RequestState.REFUSED})
"""The states that the sender sees as pending; the recipient sees only WAITING."""


class Step(Enum):
    ACCEPT = auto()
    """The recipient accepts."""
    CROSS = auto()
    """The recipient sends a request to the sender."""
    REFUSE = auto()
    RESEND = auto()
    """The sender sends it again after the cool-down."""
    WITHDRAW = auto()
    SEVER = auto()


TRANSITIONS: dict[tuple[RequestState, Step], RequestState] = {
    (RequestState.WAITING, Step.ACCEPT): RequestState.ACCEPTED,
    (RequestState.WAITING, Step.CROSS): RequestState.ACCEPTED,
    (RequestState.WAITING, Step.REFUSE): RequestState.REFUSED,
    (RequestState.WAITING, Step.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.WAITING, Step.SEVER): RequestState.SEVERED,
    (RequestState.REFUSED, Step.CROSS): RequestState.ACCEPTED,
    (RequestState.REFUSED, Step.RESEND): RequestState.WAITING,
    (RequestState.REFUSED, Step.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.REFUSED, Step.SEVER): RequestState.SEVERED,
}


def advance(state: RequestState, step: Step) -> RequestState | None:
    """Returns the state after a step, None if the step is not possible."""
    return TRANSITIONS.get((state, step))


class Outcome(Enum):
    """The effect of sending a request."""

    SEND = auto()
    """A new request reaches the recipient."""
    SEND_HIDDEN = auto()
    """A new request that is REFUSED from its start."""
    REPEAT = auto()
    """An open request exists: nothing changes."""
    RESEND = auto()
    """The refused request becomes WAITING again."""
    CROSS = auto()
    """The other has sent a request: they become friends at once."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the decision depends on. "I" is the sender."""

    friends: bool
    mine: RequestState | None
    """My open request to the other."""
    theirs: RequestState | None
    """The other's open request to me."""
    refused_at: datetime | None
    """When the other last refused me."""
    my_friends: int
    their_friends: int
    my_pending: int
    """My open requests, to anybody."""
    sent_in_window: int
    oldest_in_window: datetime | None


def decide(situation: Situation, policy: FriendPolicy, now: datetime) -> Outcome:
    """Decides the effect of sending a request. Raises AlreadyFriends, and the errors of limits."""
    if situation.friends:
        raise AlreadyFriends
    if situation.theirs is not None:
        require_capacity(situation.my_friends, situation.their_friends, policy)
        return Outcome.CROSS
    cooled = situation.refused_at is None or now >= situation.refused_at + policy.cool_down
    if situation.mine is not None:
        return Outcome.RESEND if situation.mine is RequestState.REFUSED and cooled else Outcome.REPEAT
    if situation.my_friends >= policy.max_friends:
        raise _full(policy)
    if situation.my_pending >= policy.max_pending:
        raise TooManyPendingRequests(
            f"At most {policy.max_pending} of your requests can wait for an answer; withdraw some."
        )
    if situation.sent_in_window >= policy.max_requests_per_window and situation.oldest_in_window is not None:
        wait = situation.oldest_in_window + policy.window - now
        raise TooManyRequestsSent(
            f"You can send at most {policy.max_requests_per_window} requests in {_hours(policy)} hours.",
            retry_after_s=-(-int(wait.total_seconds() * 1000) // 1000),
        )
    return Outcome.SEND if cooled else Outcome.SEND_HIDDEN


def require_capacity(my_friends: int, their_friends: int, policy: FriendPolicy) -> None:
    """Raises TooManyFriends or TheyHaveTooManyFriends if one of two people has as many friends as allowed."""
    if my_friends >= policy.max_friends:
        raise _full(policy)
    if their_friends >= policy.max_friends:
        raise TheyHaveTooManyFriends


def _full(policy: FriendPolicy) -> TooManyFriends:
    return TooManyFriends(f"You can have at most {policy.max_friends} friends.")


def _hours(policy: FriendPolicy) -> int:
    return round(policy.window.total_seconds() / 3600)
