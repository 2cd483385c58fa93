"""The errors of links to posts."""

from features.errors import Invalid, LimitReached, NotFound


class NoSuchShareLink(NotFound):
    """The caller has no such link: it may have expired."""

    code = "no_such_share_link"
    detail = "You have no such link."


class NoSharedPost(NotFound):
    """There is no such link (any more), or the caller may not see its post; always the same error, so that it reveals
    nothing."""

    code = "no_shared_post"
    detail = "This link shows nothing."


class BadLinkLifetime(Invalid):
    """A link would be good for too short or too long."""

    code = "bad_link_lifetime"
    field = "expires_in_s"


class TooManyShareLinks(LimitReached):
    """The caller has as many links as are allowed; some can be revoked."""

    code = "too_many_share_links"
