"""Stories in responses."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.post_views import AttachedVideoModel, AuthorModel, MentionEntityModel, ReactionsModel
from features.counters.model import ReactionKind
from features.posts.model import Audience
from features.stories.policy import StoryPolicy

_Text = Annotated[str, Field(max_length=StoryPolicy().max_text_length)]
_WHERE = "Where its middle is, as a fraction of the width or the height, from the top left corner."
_Alt = Annotated[str, Field(max_length=StoryPolicy().max_alt_length)]


class StoryMediaModel(BaseModel):
    """The image or video of a story. The files of an image are `{path}/{width}.webp` and `{path}/{width}.jpg`, those of
    a video `{path}/stream/master.m3u8` (HLS), `{path}/stream/poster.jpg` and `{path}/stream/storyboard.vtt`; they are
    read without an access token. The path is yours: whoever has it can use it until it expires. It ends with the story,
    or when you may not see that any more."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: _Alt = Field(
        description="What it shows, for people who do not see it; empty: not described.", examples=["A tram on a hill"]
    )
    width: int | None = Field(ge=1, description="In pixels; null while a video is processed.", examples=[1080])
    height: int | None = Field(ge=1, examples=[1920])
    blurhash: Annotated[str, Field(max_length=100)] | None = Field(
        description="A preview, of a video's poster; null until that is drawn.",
        examples=["LEHV6nWB2yk8pyo0adR*.7kCMdnj"],
    )
    widths: list[int] = Field(
        max_length=20,
        description="Of an image's files, ascending, in pixels; empty for a video.",
        examples=[[320, 640, 1080]],
    )
    video: AttachedVideoModel | None = Field(description="Null for an image.")
    path: str = Field(
        max_length=200, description="Relative to the address of the API (`/v1`).", examples=["/story-media/AgGX8cBd"]
    )
    path_expires_at: datetime = Field(
        description="Read the story again for another path.", examples=["2026-11-22T16:00:00Z"]
    )


class StickerMentionModel(BaseModel):
    """A person mentioned on the image of a story."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["sticker"] = Field(examples=["sticker"])
    account_id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c12"])
    username: models.Username = Field(description="The present one.", examples=["grace"])
    x: float = Field(ge=0, le=1, description=_WHERE, examples=[0.5])
    y: float = Field(ge=0, le=1, description=_WHERE, examples=[0.8])


_Mention = Annotated[MentionEntityModel | StickerMentionModel, Field(discriminator="kind")]


class StoryModel(BaseModel):
    """A story as you see it."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c31"])
    author: AuthorModel
    text: _Text = Field(description="Empty: an image or a video alone.", examples=["Good morning, Lisbon"])
    mentions: list[_Mention] = Field(
        max_length=StoryPolicy().max_text_length,
        description="In the text (`mention`) and on the image (`sticker`), without people whom you may not see. "
        "Whoever is mentioned sees the story only if its audience allows it.",
    )
    media: StoryMediaModel | None
    audience: Audience = Field(
        description="Who may see it: `connections` are friends (Entativa) or followers (Vignette).",
        examples=["close_friends"],
    )
    list_id: UUID | None = Field(
        description="The list of an audience `list`; only its author is told which one.", examples=[None]
    )
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    expires_at: datetime = Field(
        description="From then on, only its author sees it.", examples=["2026-11-23T15:04:05.123456Z"]
    )
    seen: bool = Field(description="Whether you have seen it; of your own, true.", examples=[False])
    may_reply: bool = Field(
        description="Whether you may reply with a message (`POST /stories/{story_id}/reply-references`).",
        examples=[True],
    )
    own_reaction: ReactionKind | None = Field(description="Null: you have not reacted.", examples=["love"])
    viewers: int | None = Field(description="How many people have seen it; null unless it is yours.", examples=[12])
    reactions: ReactionsModel | None = Field(description="Null unless it is yours.")


class StoryPage(BaseModel):
    """A page of stories. Pass `next_cursor` as `cursor` to get the next page; null: this was the last."""

    model_config = ConfigDict(extra="forbid")

    items: list[StoryModel] = Field(max_length=models.MAX_PAGE)
    next_cursor: models.NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])
