"""The errors of comments."""

from features.errors import Forbidden, Invalid, NotFound
from features.text_errors import TEXT_ERRORS


class NoSuchComment(NotFound):
    """The comment does not exist, or the caller may not see it."""

    code = "no_such_comment"
    detail = "There is no such comment."


class NoSuchParent(Invalid):
    """The comment that is replied to does not exist, is deleted, is on another post, or the caller may not see it."""

    code = "no_such_parent"
    detail = "There is no such comment on this post."
    field = "parent_id"


class TooDeep(Invalid):
    """Comments are nested up to a number of levels; reply to the comment above."""

    code = "too_deep"
    field = "parent_id"


class CommentingRestricted(Forbidden):
    """The author of the post does not let the caller comment on it."""

    code = "commenting_restricted"
    detail = "The author of this post has restricted who may comment on it."


class NotTheCommenter(Forbidden):
    """The comment is somebody else's."""

    code = "not_the_commenter"
    detail = "Only its author can change a comment; the author of the post can hide or delete it."


class NotTheModerator(Forbidden):
    """The post is somebody else's."""

    code = "not_the_moderator"
    detail = "Only the author of a post moderates its comments."


class TooManyLines(Invalid):
    """The text has too many lines."""

    code = "too_many_lines"
    field = "text"


class TooManyEmoji(Invalid):
    """The text has too many emoji."""

    code = "too_many_emoji"
    field = "text"


class TooManyPeopleMentioned(Invalid):
    """The text mentions too many people."""

    code = "too_many_people_mentioned"
    field = "text"


class BadFilterWord(Invalid):
    """A filter word is empty or too long, or there are too many of them."""

    code = "bad_filter_word"
    field = "words"


COMMENT_TEXT_ERRORS = (*TEXT_ERRORS, TooManyLines, TooManyEmoji, TooManyPeopleMentioned)
