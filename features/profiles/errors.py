"""The errors of profiles."""

from features.errors import Conflict, Invalid


class BadUsername(Invalid):
    """The text cannot be a username."""

    code = "bad_username"
    detail = "A username has 3 to 30 letters (a-z), digits, underscores and single dots between them."
    field = "username"


class ReservedUsername(Invalid):
    """The username is reserved."""

    code = "reserved_username"
    detail = "This username is reserved."
    field = "username"


class UsernameTaken(Conflict):
    """Another account has this username, in some spelling."""

    code = "username_taken"
    detail = "This username is taken."
    field = "username"


class TooManyLinks(Invalid):
    """A profile may have fewer links."""

    code = "too_many_links"
    field = "links"


class BadLink(Invalid):
    """A link is no web address (http, https), or holds credentials."""

    code = "bad_link"
    detail = "A link is a web address (https://...)."
    field = "links"


USERNAME_ERRORS = (BadUsername, ReservedUsername, UsernameTaken)
