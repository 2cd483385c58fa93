"""The errors of posts."""

from features.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound
from features.text_errors import TEXT_ERRORS


class NoSuchPost(NotFound):
    """The post does not exist, or the caller may not see it."""

    code = "no_such_post"
    detail = "There is no such post."


class NotTheAuthor(Forbidden):
    """The post is somebody else's."""

    code = "not_the_author"
    detail = "Only its author can change or delete a post."


class TooManyHashtags(Invalid):
    """The text has too many different hashtags."""

    code = "too_many_hashtags"
    field = "text"


class TooManyMentions(Invalid):
    """The text mentions too many people."""

    code = "too_many_mentions"
    field = "text"


class ListMismatch(Invalid):
    """`list_id` is missing with the audience `list`, or given with another audience."""

    code = "list_mismatch"
    detail = "list_id goes with the audience 'list'."
    field = "list_id"


class UnknownList(Invalid):
    """The caller has no list with the id of the audience."""

    code = "unknown_list"
    detail = "You have no list with this id."
    field = "list_id"


class IncompletePoint(Invalid):
    """One of the two coordinates of a place is missing."""

    code = "incomplete_point"
    detail = "A point has a latitude and a longitude."


class BadPollOptions(Invalid):
    """A poll has too few or too many options, or two that are the same."""

    code = "bad_poll_options"
    field = "poll.options"


class BadPollDuration(Invalid):
    """A poll would be open for too short or too long."""

    code = "bad_poll_duration"
    field = "poll.duration_s"


class TooManyMedia(Invalid):
    """The post has more media than are allowed."""

    code = "too_many_media"
    field = "media"


class NoPoll(NotFound):
    """The post has no poll."""

    code = "no_poll"
    detail = "This post has no poll."


class BadChoices(Invalid):
    """The choices are not different options of the poll, or several where it takes one."""

    code = "bad_choices"
    detail = "Choices are positions of different options of the poll, from 0."
    field = "choices"


class PollClosed(Conflict):
    """The poll takes no more votes."""

    code = "poll_closed"
    detail = "This poll is closed."


class AlreadyVoted(Conflict):
    """The caller has voted otherwise: a vote cannot be changed."""

    code = "already_voted"
    detail = "You have voted in this poll already."


class NotShareable(Forbidden):
    """The post is not public: nobody can repost it."""

    code = "not_shareable"
    detail = "Only public posts can be shared."


class UnknownQuotedPost(Invalid):
    """There is no public post with the id of the quoted one that the caller may see."""

    code = "unknown_quoted_post"
    detail = "There is no public post with this id."
    field = "quoted_id"


class AlreadyReposted(Conflict):
    """The post was reposted by another request of the caller at the same moment."""

    code = "already_reposted"
    detail = "You have just reposted this post."


class NotEditable(Conflict):
    """A repost has no text of its own."""

    code = "not_editable"
    detail = "A repost cannot be changed, only undone."


class NoSuchDraft(NotFound):
    """The caller has no such draft: it may be published."""

    code = "no_such_draft"
    detail = "You have no such draft."


class TooManyDrafts(LimitReached):
    """The account has as many drafts as is allowed."""

    code = "too_many_drafts"


class BadPublishAt(Invalid):
    """The time of publication is too near, past, or too far away."""

    code = "bad_publish_at"
    field = "publish_at"


class TooManyPinned(LimitReached):
    """The author has pinned as many posts as is allowed."""

    code = "too_many_pinned"


class BadHashtag(Invalid):
    """The text is not one hashtag."""

    code = "bad_hashtag"
    detail = "A hashtag is one word with at least one letter."
    field = "tag"


DRAFT_ERRORS = (
    *TEXT_ERRORS,
    TooManyHashtags,
    TooManyMentions,
    ListMismatch,
    UnknownList,
    IncompletePoint,
    TooManyMedia,
)
"""Of the content and the audience of a post."""

POLL_ERRORS = (BadPollOptions, BadPollDuration)
"""Of a poll to publish."""
