"""The errors of stories."""

from features.errors import Forbidden, Invalid, LimitReached, NotFound
from features.media.errors import ATTACHMENT_ERRORS
from features.posts.errors import ListMismatch, UnknownList
from features.text_errors import TEXT_ERRORS


class NoSuchStory(NotFound):
    """The story does not exist, its time is over, or the caller may not see it."""

    code = "no_such_story"
    detail = "There is no such story."


class NotYourStory(Forbidden):
    """The story is somebody else's."""

    code = "not_your_story"
    detail = "Only its author can do this with a story."


class TooManyStories(LimitReached):
    """The caller has as many stories that others see as are allowed."""

    code = "too_many_stories"


class TooManyMentioned(Invalid):
    """The story mentions too many people."""

    code = "too_many_mentioned"
    field = "mentions"


class UnknownMentioned(Invalid):
    """There is nobody with the username of a mention whom the caller may know."""

    code = "unknown_mentioned"
    detail = "There is no such person."


class NoSuchHighlight(NotFound):
    """The highlight does not exist, or the caller may not see it."""

    code = "no_such_highlight"
    detail = "There is no such highlight."


class NotYourHighlight(Forbidden):
    """The highlight is somebody else's."""

    code = "not_your_highlight"
    detail = "Only its author can change a highlight."


class TooManyHighlights(LimitReached):
    """The caller has as many highlights as are allowed."""

    code = "too_many_highlights"


class TooManyHighlighted(LimitReached):
    """The highlight has as many stories as are allowed."""

    code = "too_many_highlighted"


HIGHLIGHT_ERRORS = (*TEXT_ERRORS, ListMismatch, UnknownList)
"""Of the title and the audience of a highlight."""

CONTENT_ERRORS = (*TEXT_ERRORS, *ATTACHMENT_ERRORS, ListMismatch, UnknownList, TooManyMentioned, UnknownMentioned)
"""Of what an author wants to publish."""
