"""The representation of former versions of posts in responses."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from api import models
from api.post_views import EXAMPLE_TEXT, MAX_ENTITIES, AttachmentModel, EntityModel
from features.posts.model import Audience
from features.posts.policy import PostPolicy


class VersionAttachmentModel(AttachmentModel):
    """A medium that a version of a post has, or had: its files can be read as long as there is the post, by whoever may
    see the post and the version."""

    path: str = Field(
        max_length=200,
        description="Relative to the address of the API (`/v1`). Unless the post and the version are public, it is "
        "yours, like those from `GET /posts/{post_id}/media`.",
        examples=["/public-media/0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11/0"],
    )
    expires_at: datetime | None = Field(description="Of the path; null: it is everybody's.", examples=[None])


class VersionModel(BaseModel):
    """A version of a post, from `created_at` until the version above it in the list."""

    model_config = ConfigDict(extra="forbid")

    text: models.PostText = Field(examples=[EXAMPLE_TEXT])
    entities: list[EntityModel] = Field(max_length=MAX_ENTITIES)
    content_warning: models.ContentWarning | None = Field(examples=[None])
    media: list[VersionAttachmentModel] | None = Field(
        max_length=PostPolicy().max_media, description="Null: not recorded (in early versions of the platform)."
    )
    audience: Audience = Field(examples=["public"])
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


class VersionPage(BaseModel):
    """A page of a post's versions, newest first."""

    model_config = ConfigDict(extra="forbid")

    items: list[VersionModel] = Field(max_length=models.MAX_PAGE)
    next_cursor: models.NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])
