"""The events of this slice. They leave the text out: consumers read it under the rules of privacy.py."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from features.events import EventBody
from features.posts.model import Audience, ShareKind


@dataclass(frozen=True, slots=True)
class PostState:
    """What consumers need to know of a post as it was."""

    audience: Audience
    list_id: UUID | None
    hashtags: tuple[str, ...]
    mentions: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class PostEvent(EventBody):
    """Something happened to a post. The fields have its state afterwards; of a deleted one, that before."""

    key: ClassVar[str] = "post_id"
    post_id: UUID
    author_id: UUID
    created_at: datetime
    audience: Audience
    list_id: UUID | None
    hashtags: tuple[str, ...]
    mentions: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class PostCreated(PostEvent):
    type: ClassVar[str] = "posts.created"


@dataclass(frozen=True, slots=True)
class PostEdited(PostEvent):
    """The text, the content warning, the place or the audience was changed."""

    type: ClassVar[str] = "posts.edited"
    previous: PostState


@dataclass(frozen=True, slots=True)
class PostDeleted(PostEvent):
    type: ClassVar[str] = "posts.deleted"


@dataclass(frozen=True, slots=True)
class PinEvent(EventBody):
    """An author pinned a post to the profile, or took it off."""

    key: ClassVar[str] = "post_id"
    post_id: UUID
    author_id: UUID


@dataclass(frozen=True, slots=True)
class PostPinned(PinEvent):
    type: ClassVar[str] = "posts.pinned"


@dataclass(frozen=True, slots=True)
class PostUnpinned(PinEvent):
    type: ClassVar[str] = "posts.unpinned"


@dataclass(frozen=True, slots=True)
class PollVoted(EventBody):
    """Somebody voted in the poll of a post. Who and how is for no consumer to know."""

    type: ClassVar[str] = "posts.poll_voted"
    key: ClassVar[str] = "post_id"
    post_id: UUID


@dataclass(frozen=True, slots=True)
class PollCounted(EventBody):
    """The results of a poll went on: votes were counted."""

    type: ClassVar[str] = "posts.poll_counted"
    key: ClassVar[str] = "post_id"
    post_id: UUID


@dataclass(frozen=True, slots=True)
class Voted(EventBody):
    """An account voted in some poll: what is kept of its own votes is out of date. In which, and how, is for no
    consumer to know."""

    type: ClassVar[str] = "posts.voted"
    key: ClassVar[str] = "account_id"
    account_id: UUID


@dataclass(frozen=True, slots=True)
class LinkEvent(EventBody):
    """Something happened to the link in a post."""

    key: ClassVar[str] = "post_id"
    post_id: UUID


@dataclass(frozen=True, slots=True)
class LinkFound(LinkEvent):
    """The text has a new link."""

    type: ClassVar[str] = "posts.link_found"


@dataclass(frozen=True, slots=True)
class LinkPreviewed(LinkEvent):
    """What the linked page says about itself has become known, or changed."""

    type: ClassVar[str] = "posts.link_previewed"


@dataclass(frozen=True, slots=True)
class MediaUpdated(EventBody):
    """Readers see something else of a post's media, which nobody has edited: a video can be played, or never will."""

    type: ClassVar[str] = "posts.media_updated"
    key: ClassVar[str] = "post_id"
    post_id: UUID


@dataclass(frozen=True, slots=True)
class ShareEvent(EventBody):
    """Something happened to a public quote, or to a repost (`share_id`), by an account, of a post."""

    key: ClassVar[str] = "post_id"
    post_id: UUID
    share_id: UUID
    account_id: UUID
    kind: ShareKind


@dataclass(frozen=True, slots=True)
class PostShared(ShareEvent):
    type: ClassVar[str] = "posts.shared"


@dataclass(frozen=True, slots=True)
class PostUnshared(ShareEvent):
    """It is deleted, or no longer public. Not published where the post itself is deleted."""

    type: ClassVar[str] = "posts.unshared"


EVENTS = (
    PostCreated,
    PostEdited,
    PostDeleted,
    PostPinned,
    PostUnpinned,
    PollVoted,
    PollCounted,
    Voted,
    LinkFound,
    LinkPreviewed,
    MediaUpdated,
    PostShared,
    PostUnshared,
)
