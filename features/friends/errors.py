"""The errors of friends and friend requests."""

from features.errors import Conflict, LimitReached, NotFound, RateLimited


class AlreadyFriends(Conflict):
    """Both are friends already."""

    code = "already_friends"
    detail = "You are friends already."
    field = "username"


class TooManyFriends(LimitReached):
    """The caller has as many friends as are allowed."""

    code = "too_many_friends"


class TheyHaveTooManyFriends(LimitReached):
    """The other has as many friends as are allowed."""

    code = "they_have_too_many_friends"
    detail = "This person cannot have more friends."


class TooManyPendingRequests(LimitReached):
    """As many requests of the caller are pending as are allowed; withdraw some."""

    code = "too_many_pending_requests"


class TooManyRequestsSent(RateLimited):
    """The caller has sent as many requests within a day as are allowed."""

    code = "too_many_requests_sent"


class NoSuchRequest(NotFound):
    """The caller has no such pending request."""

    code = "no_such_request"
    detail = "You have no such request."


CAPACITY_ERRORS = (TooManyFriends, TheyHaveTooManyFriends)
"""Of what would make two people friends."""
