"""The events of this slice. They leave the token out: whoever has a link can use it."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ShareLinkEvent(EventBody):
    """Something happened to an account's link to a post."""

    key: ClassVar[str] = "post_id"
    link_id: UUID
    post_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class ShareLinkCreated(ShareLinkEvent):
    type: ClassVar[str] = "share_links.created"


@dataclass(frozen=True, slots=True)
class ShareLinkRevoked(ShareLinkEvent):
    type: ClassVar[str] = "share_links.revoked"


EVENTS = (ShareLinkCreated, ShareLinkRevoked)
