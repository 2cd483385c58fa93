"""The errors of collections."""

from features.errors import Conflict, LimitReached, NotFound


class NoSuchCollection(NotFound):
    """The caller has no such collection."""

    code = "no_such_collection"
    detail = "You have no such collection."


class NotSaved(NotFound):
    """The caller has not saved the post, or may not see it."""

    code = "not_saved"
    detail = "You have not saved this post."


class CollectionNameTaken(Conflict):
    """The caller has a collection of this name, in some spelling."""

    code = "collection_name_taken"
    detail = "You have a collection of this name."
    field = "name"


class TooManyCollections(LimitReached):
    """The caller has as many collections as are allowed."""

    code = "too_many_collections"
