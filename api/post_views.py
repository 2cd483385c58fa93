"""The representation of posts in responses, for every router that lists them.

The models only document. What is sent is what the services return, serialised by orjson: validating fifty posts costs
more than reading them. A test validates responses against the models.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api import models
from api.profiles import AvatarModel
from features.counters.model import ReactionKind
from features.posts.model import Audience
from features.posts.policy import PostPolicy
from features.posts.polls import MAX_OPTIONS
from features.videos.model import VideoState

EXAMPLE_TEXT = "On my way to #Lisbon with @grace"
_START = "Offset of its first character in the text, in Unicode code points, the sign included."
_END = "Offset after its last character."
_RESULTS = (
    "Null until you have voted or the poll is closed, and while fewer than 3 people have voted. "
    "While the poll is open, results go on by 3 voters or more at once."
)
MAX_ENTITIES = PostPolicy().max_text_length // 2


class AuthorModel(BaseModel):
    """Who wrote a post."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    username: models.Username = Field(examples=["ada"])
    name: models.Name = Field(examples=["Ada Lovelace"])
    avatar: AvatarModel | None = Field(description="Null: the person shows none.")


class HashtagEntityModel(BaseModel):
    """A hashtag in a text. `tag` is the form in which tags are compared: `#CAFÉ` and `#café` are `café`."""

    kind: Literal["hashtag"] = Field(examples=["hashtag"])
    tag: models.Tag = Field(examples=["lisbon"])
    start: int = Field(ge=0, description=_START, examples=[13])
    end: int = Field(ge=1, description=_END, examples=[20])


class MentionEntityModel(BaseModel):
    """A person mentioned in a text. The name of nobody, or of somebody you may not see, is plain text."""

    kind: Literal["mention"] = Field(examples=["mention"])
    account_id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c12"])
    username: models.Username = Field(
        description="The present one: it may differ from what the text says.", examples=["grace"]
    )
    start: int = Field(ge=0, description=_START, examples=[26])
    end: int = Field(ge=1, description=_END, examples=[32])


EntityModel = Annotated[HashtagEntityModel | MentionEntityModel, Field(discriminator="kind")]


class PlaceModel(BaseModel):
    """A place. Coordinates are degrees (WGS 84), rounded to about 100 m; both are null, or none."""

    model_config = ConfigDict(extra="forbid")

    name: models.PlaceName = Field(examples=["Lisbon"])
    latitude: float | None = Field(examples=[38.722])
    longitude: float | None = Field(examples=[-9.139])


class PollOptionModel(BaseModel):
    """An option of a poll."""

    model_config = ConfigDict(extra="forbid")

    text: models.PollOption = Field(examples=["By train"])
    votes: int | None = Field(description=_RESULTS, examples=[None])


class PollModel(BaseModel):
    """A poll as you see it. How somebody voted is shown to nobody, its author included."""

    model_config = ConfigDict(extra="forbid")

    options: list[PollOptionModel] = Field(min_length=2, max_length=MAX_OPTIONS)
    multiple: bool = Field(description="Whether a vote may have several choices.", examples=[False])
    closes_at: datetime = Field(examples=["2026-11-23T15:04:05.123456Z"])
    closed: bool = Field(examples=[False])
    voters: int | None = Field(description="How many people voted. " + _RESULTS, examples=[None])
    own_choices: list[int] | None = Field(
        max_length=MAX_OPTIONS,
        description="What you chose, as positions in `options`; null: you have not voted.",
        examples=[None],
    )


class ReactionCountsModel(BaseModel):
    """How many reactions of each kind there are."""

    model_config = ConfigDict(extra="forbid")

    like: int = Field(ge=0, examples=[2])
    love: int = Field(ge=0, examples=[1])
    care: int = Field(ge=0, examples=[0])
    haha: int = Field(ge=0, examples=[0])
    wow: int = Field(ge=0, examples=[0])
    sad: int = Field(ge=0, examples=[0])
    angry: int = Field(ge=0, examples=[0])


class ReactionsModel(BaseModel):
    """The reactions to a post or a comment. Everybody's count, also those of people whom you may not see."""

    model_config = ConfigDict(extra="forbid")

    total: int = Field(ge=0, examples=[3])
    counts: ReactionCountsModel
    own: ReactionKind | None = Field(description="Your own; null: you have not reacted.", examples=["love"])


class AttachedVideoModel(BaseModel):
    """What a video of a post or story has and an image has not."""

    model_config = ConfigDict(extra="forbid")

    state: VideoState = Field(
        description="`processing`: show a placeholder, there is no stream yet. `playable`, `ready`: it can be played; "
        "the latter has all qualities and `storyboard.vtt`. `failed`: it never will.",
        examples=["ready"],
    )
    duration_ms: int | None = Field(ge=0, description="Null until it is known.", examples=[61400])


class AttachmentModel(BaseModel):
    """An image or a video of a post. The files of an image are `{width}.webp` and `{width}.jpg` below `path`, or below
    an address from `GET /posts/{post_id}/media`; those of a video are `stream/master.m3u8` (HLS), `stream/poster.jpg`
    and `stream/storyboard.vtt`."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: models.AltText = Field(
        description="What it shows, for people who do not see it; empty: not described.", examples=["A tram on a hill"]
    )
    width: int | None = Field(
        ge=1, description="In pixels, as it is shown; null while a video is processed.", examples=[4032]
    )
    height: int | None = Field(ge=1, examples=[3024])
    blurhash: Annotated[str, Field(max_length=100)] | None = Field(
        description="A preview (https://blurha.sh), of a video's poster; null until that is drawn.",
        examples=["LEHV6nWB2yk8pyo0adR*.7kCMdnj"],
    )
    widths: list[int] = Field(
        max_length=20,
        description="Of an image's files, ascending, in pixels; empty for a video.",
        examples=[[320, 640, 1080, 2048]],
    )
    video: AttachedVideoModel | None = Field(description="Null for an image.")
    path: str | None = Field(
        max_length=100,
        description="Relative to the address of the API (`/v1`); null unless the post is public.",
        examples=["/public-media/0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11/0"],
    )


class LinkPreviewModel(BaseModel):
    """What the page that a post links to says about itself."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2_000, examples=["https://example.org/lisbon"])
    title: str = Field(max_length=200, examples=["Lisbon"])
    description: Annotated[str, Field(max_length=500)] | None = Field(examples=["A city on seven hills."])
    site_name: Annotated[str, Field(max_length=100)] | None = Field(examples=["Example"])


class ContentModel(BaseModel):
    """What a post has whether it is shown by itself or in another one, as you see it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])
    author: AuthorModel
    text: models.PostText = Field(description="Empty for a repost.", examples=[EXAMPLE_TEXT])
    entities: list[EntityModel] = Field(
        max_length=MAX_ENTITIES,
        description="Hashtags and mentions in the order of the text. Offsets count Unicode code points, "
        "not bytes and not the UTF-16 units of JavaScript and Java.",
    )
    audience: Audience = Field(
        description="Who may see it: `connections` are friends (Entativa) or followers (Vignette).",
        examples=["public"],
    )
    list_id: UUID | None = Field(
        description="The list of an audience `list`; only its author is told which one.", examples=[None]
    )
    content_warning: models.ContentWarning | None = Field(
        description="What clients show in place of the post until the reader asks for it.", examples=[None]
    )
    place: PlaceModel | None
    link: LinkPreviewModel | None = Field(
        description="Of the first link in the text, fetched within seconds of its publication. "
        "Null if there is none, or nothing to show."
    )
    pinned: bool = Field(description="Whether its author has pinned it to the profile.", examples=[False])
    media: list[AttachmentModel] = Field(max_length=PostPolicy().max_media)
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    edited_at: datetime | None = Field(
        description="When the text, the content warning or the media were changed last; null: never.", examples=[None]
    )


class CountedModel(ContentModel):
    """A post with what is counted of it."""

    poll: PollModel | None
    reposted: bool = Field(description="Whether you have reposted it.", examples=[False])
    saved: bool = Field(
        description="Whether you have saved it; `GET /saved-posts/{post_id}` has the collections.", examples=[False]
    )
    comments: int = Field(ge=0, description="How many there are, replies included.", examples=[4])
    reposts: int = Field(ge=0, description="How many people have reposted it.", examples=[2])
    quotes: int = Field(ge=0, description="How many public posts quote it.", examples=[1])
    reactions: ReactionsModel


class SharedContentModel(CountedModel):
    """A post that another one shares, as you see it."""


class SharedPostModel(BaseModel):
    """What a post shares, with a text of its own (a quote) or without (a repost)."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["quote", "repost"] = Field(examples=["quote"])
    post: SharedContentModel | None = Field(
        description="Null where you may not see it, or where it is deleted. "
        "What it shares itself is at its own address. A repost is a post of its own; to react to what it shows, or to "
        "comment on that, take this one's id."
    )


class PostModel(CountedModel):
    """A post as you see it."""

    shared: SharedPostModel | None


class PostPage(BaseModel):
    """A page of posts, newest first; of a profile, pinned ones before the others. Pass `next_cursor` as `cursor` to get
    the next page; null: this was the last."""

    model_config = ConfigDict(extra="forbid")

    items: list[PostModel] = Field(max_length=models.MAX_PAGE)
    next_cursor: models.NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


def respond(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Returns a response with a value (a dataclass, a dictionary) as JSON; times end in Z."""
    return Response(orjson.dumps(value, option=orjson.OPT_UTC_Z), status_code=status, media_type="application/json")
