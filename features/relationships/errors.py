"""The errors of relationships."""

from features.errors import Conflict, Invalid, LimitReached, NotFound


class NoSuchPerson(NotFound):
    """The account does not exist or is apart from the caller; always the same error, so that it reveals nothing."""

    code = "no_such_person"
    detail = "There is no such person."


class Yourself(Invalid):
    """The person is the caller."""

    code = "yourself"
    detail = "This is yourself."
    field = "username"


class NoSuchList(NotFound):
    """The caller has no such list."""

    code = "no_such_list"
    detail = "You have no such list."


class ListNameTaken(Conflict):
    """The caller has a list of this name, in some spelling."""

    code = "list_name_taken"
    detail = "You have a list of this name."
    field = "name"


class TooManyLists(LimitReached):
    """The caller has as many lists as are allowed."""

    code = "too_many_lists"


class TooManyBlocks(LimitReached):
    """The caller has blocked as many people as are allowed."""

    code = "too_many_blocks"


class TooManyMutes(LimitReached):
    """The caller has muted as many people as are allowed."""

    code = "too_many_mutes"


class TooManyCloseFriends(LimitReached):
    """The caller has as many close friends as are allowed."""

    code = "too_many_close_friends"


class TooManyListMembers(LimitReached):
    """The list has as many members as are allowed."""

    code = "too_many_list_members"


PERSON_ERRORS = (NoSuchPerson, Yourself)
"""Of a change that concerns the caller and another person."""
