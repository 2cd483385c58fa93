"""What clients send to publish, change and vote in posts."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.deps import service
from api.models import MAX_DECOMPOSED, Body
from features.posts.attachments import MediaDraft
from features.posts.composing import Content
from features.posts.model import Audience, Place
from features.posts.policy import PostPolicy
from features.posts.polls import MAX_OPTIONS, PollDraft
from features.posts.service import PostService

Posts = Annotated[PostService, service(PostService)]

_MAX_RAW_TEXT = 2 * PostPolicy().max_text_length
"""Carriage returns and outer white space are removed later."""
_RawText = Annotated[str, Field(max_length=_MAX_RAW_TEXT)]
_TEXT = (
    "Plain text with at least one visible character; hashtags and mentions are recognised. At most 10,000 characters "
)
_TEXT += "(Unicode code points), without outer white space."
_LIST = "One of your own lists; required for the audience `list`, not allowed otherwise."


_RawWarning = Annotated[str, Field(max_length=MAX_DECOMPOSED * PostPolicy().max_content_warning_length)]
_WARNING = "One line, shown in place of the post until the reader asks for it. At most 200 characters."
_REMOVES = " An empty one removes it."


class PlaceBody(Body):
    """A place. The point is optional, and is rounded to about 100 m."""

    name: str = Field(max_length=MAX_DECOMPOSED * PostPolicy().max_place_name_length, examples=["Lisbon"])
    latitude: float | None = Field(
        default=None, ge=-90, le=90, allow_inf_nan=False, description="Degrees (WGS 84).", examples=[38.722]
    )
    longitude: float | None = Field(
        default=None, ge=-180, le=180, allow_inf_nan=False, description="Degrees (WGS 84).", examples=[-9.139]
    )

    def value(self) -> Place:
        """Returns the place as the service takes it."""
        return {"name": self.name, "latitude": self.latitude, "longitude": self.longitude}


_RawOption = Annotated[str, Field(max_length=MAX_DECOMPOSED * PostPolicy().max_poll_option_length)]


class PollBody(Body):
    """A poll. It cannot be changed once it is published."""

    options: list[_RawOption] = Field(
        min_length=2,
        max_length=PostPolicy().max_poll_options,
        description="Different lines of at most 100 characters.",
        examples=[["By train", "By boat"]],
    )
    multiple: bool = Field(default=False, description="Whether a vote may have several choices.", examples=[False])
    duration_s: int = Field(
        ge=int(PostPolicy().min_poll_duration.total_seconds()),
        le=int(PostPolicy().max_poll_duration.total_seconds()),
        description="How long it takes votes, in seconds from the publication of the post.",
        examples=[86_400],
    )

    def value(self) -> PollDraft:
        """Returns the poll as the service takes it."""
        return PollDraft(self.options, self.multiple, timedelta(seconds=self.duration_s))


class VoteBody(Body):
    """A vote in a poll."""

    choices: list[Annotated[int, Field(ge=0, lt=MAX_OPTIONS)]] = Field(
        min_length=1,
        max_length=MAX_OPTIONS,
        description="Positions in the poll's `options`, from 0; one of them unless the poll takes several.",
        examples=[[0]],
    )


class AttachmentBody(Body):
    """An image or a video to show in a post: one of your media that is ready and that no other post shows. A video need
    not be playable yet."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: Annotated[str, Field(max_length=MAX_DECOMPOSED * PostPolicy().max_alt_length)] = Field(
        default="",
        description="What it shows, in one line of at most 1,000 characters, for people who do not see it.",
        examples=["A tram on a hill"],
    )


_Attachments = Annotated[list[AttachmentBody], Field(max_length=2 * PostPolicy().max_media, description="At most ten.")]


def media_drafts(media: list[AttachmentBody]) -> list[MediaDraft]:
    """Returns attachments as the service takes them."""
    return [MediaDraft(each.id, each.alt) for each in media]


class PostBody(Body):
    """A post to publish."""

    text: _RawText = Field(description=_TEXT, examples=["On my way to #Lisbon with @grace"])
    audience: Audience = Field(default=Audience.PUBLIC, description="Who may see it.", examples=["connections"])
    list_id: UUID | None = Field(default=None, description=_LIST, examples=[None])
    content_warning: _RawWarning | None = Field(default=None, description=_WARNING, examples=[None])
    place: PlaceBody | None = Field(default=None)
    media: _Attachments = Field(default=[])
    poll: PollBody | None = Field(default=None)
    quoted_id: UUID | None = Field(
        default=None,
        description="A public post to quote; of a repost, the post that it shows is quoted.",
        examples=[None],
    )

    def content(self) -> Content:
        """Returns the post as the service takes it."""
        return Content(
            self.text,
            self.audience,
            self.list_id,
            self.content_warning,
            self.place.value() if self.place else None,
            self.poll.value() if self.poll else None,
            self.quoted_id,
            media_drafts(self.media),
        )


class PostChangeBody(Body):
    """The changes to a post. What is absent or null stays."""

    text: _RawText | None = Field(default=None, description=_TEXT, examples=["Back from #Lisbon"])
    audience: Audience | None = Field(default=None, description="Who may see it.", examples=["public"])
    list_id: UUID | None = Field(default=None, description=_LIST, examples=[None])
    content_warning: _RawWarning | None = Field(
        default=None, description=_WARNING + _REMOVES, examples=["Spoilers for the last episode"]
    )
    place: PlaceBody | None = Field(default=None, description="A place with an empty name removes it.")
    media: _Attachments | None = Field(default=None, description="All that the post shows afterwards.")
