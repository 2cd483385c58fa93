"""The errors of references."""

from features.errors import Forbidden, NotFound


class RepliesNotAllowed(Forbidden):
    """The author of the story does not want replies of the caller."""

    code = "replies_not_allowed"
    detail = "The author does not take replies from you."


class NoSuchReference(NotFound):
    """The reference was made up, or the caller may not see (any more) what it refers to; always the same error, so that
    it reveals nothing."""

    code = "no_such_reference"
    detail = "There is nothing to see."
