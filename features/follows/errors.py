"""The errors of follows."""

from features.errors import LimitReached, RateLimited


class TooManyFollowed(LimitReached):
    """The caller follows as many people as are allowed."""

    code = "too_many_followed"


class TooManyFollowsToday(RateLimited):
    """The caller has followed as many people today (UTC) as are allowed."""

    code = "too_many_follows_today"
