"""The life of a friend request, and the answer to somebody who asks.

    WAITING --accept, meet--> ACCEPTED      REFUSED --meet------> ACCEPTED
    WAITING --refuse--------> REFUSED       REFUSED --revive----> WAITING
    WAITING --withdraw------> WITHDRAWN     REFUSED --withdraw--> WITHDRAWN
    WAITING --sever---------> SEVERED       REFUSED --sever-----> SEVERED

Nobody is told of a refusal. To its sender a refused request looks like one that still waits: it stays on the list, it
can be withdrawn, and asking again answers the same. During the cool-down a new request after a withdrawn one is
REFUSED from its start: its sender sees it, its recipient does not. After the cool-down asking again revives it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto

from features.errors import Conflict, LimitReached
from features.friends.policy import FriendPolicy


class RequestState(StrEnum):
    WAITING = "waiting"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    SEVERED = "severed"
    """A block ended it."""


OPEN = frozenset({RequestState.WAITING, RequestState.REFUSED})
"""What the sender sees as pending; the recipient sees only WAITING."""


class Step(Enum):
    ACCEPT = auto()
    """The recipient says yes."""
    MEET = auto()
    """The recipient asks the sender in turn."""
    REFUSE = auto()
    REVIVE = auto()
    """The sender asks again after the cool-down."""
    WITHDRAW = auto()
    SEVER = auto()


TRANSITIONS: dict[tuple[RequestState, Step], RequestState] = {
    (RequestState.WAITING, Step.ACCEPT): RequestState.ACCEPTED,
    (RequestState.WAITING, Step.MEET): RequestState.ACCEPTED,
    (RequestState.WAITING, Step.REFUSE): RequestState.REFUSED,
    (RequestState.WAITING, Step.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.WAITING, Step.SEVER): RequestState.SEVERED,
    (RequestState.REFUSED, Step.MEET): RequestState.ACCEPTED,
    (RequestState.REFUSED, Step.REVIVE): RequestState.WAITING,
    (RequestState.REFUSED, Step.WITHDRAW): RequestState.WITHDRAWN,
    (RequestState.REFUSED, Step.SEVER): RequestState.SEVERED,
}


def advance(state: RequestState, step: Step) -> RequestState | None:
    """The state after a step; None: the step is not possible there."""
    return TRANSITIONS.get((state, step))


class Answer(Enum):
    """What happens when somebody asks."""

    SEND = auto()
    """A new request reaches the recipient."""
    SEND_UNSEEN = auto()
    """A new request that is REFUSED from its start."""
    REPEAT = auto()
    """There is an open request: nothing changes."""
    REVIVE = auto()
    """The refused request waits again."""
    MEET = auto()
    """The other has asked: they are friends at once."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the answer depends on. "I" is who asks."""

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


def ask(situation: Situation, policy: FriendPolicy, now: datetime) -> Answer:
    """Decide what asking does. Raises Conflict for friends, LimitReached."""
    if situation.friends:
        raise Conflict("already_friends", "You are friends already.", field="username")
    if situation.theirs is not None:
        require_room(situation.my_friends, situation.their_friends, policy)
        return Answer.MEET
    cooled = situation.refused_at is None or now >= situation.refused_at + policy.cool_down
    if situation.mine is not None:
        return Answer.REVIVE if situation.mine is RequestState.REFUSED and cooled else Answer.REPEAT
    if situation.my_friends >= policy.max_friends:
        raise _full(policy)
    if situation.my_pending >= policy.max_pending:
        raise LimitReached(
            "too_many_pending_requests",
            f"At most {policy.max_pending} of your requests can wait for an answer; withdraw some.",
        )
    if situation.sent_in_window >= policy.max_requests_per_window and situation.oldest_in_window is not None:
        wait = situation.oldest_in_window + policy.window - now
        raise LimitReached(
            "too_many_requests_sent",
            f"You can send at most {policy.max_requests_per_window} requests in {_hours(policy)} hours.",
            retry_after_s=max(1, -(-int(wait.total_seconds() * 1000) // 1000)),
        )
    return Answer.SEND if cooled else Answer.SEND_UNSEEN


def require_room(my_friends: int, their_friends: int, policy: FriendPolicy) -> None:
    """Raises LimitReached when one of two people who are about to be friends has as many as can be."""
    if my_friends >= policy.max_friends:
        raise _full(policy)
    if their_friends >= policy.max_friends:
        raise LimitReached("they_have_too_many_friends", "This person cannot have more friends.")


def _full(policy: FriendPolicy) -> LimitReached:
    return LimitReached("too_many_friends", f"You can have at most {policy.max_friends} friends.")


def _hours(policy: FriendPolicy) -> int:
    return round(policy.window.total_seconds() / 3600)
