"""Drafts and scheduled posts over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from api import models
from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, Poster, SignedIn, Uow
from api.error_codes import raises
from api.models import PageModel, render_page
from api.post_bodies import PostBody, Posts
from api.post_views import PlaceModel, PostModel, respond
from api.routes import VERSION
from api.transaction import forget_responses, located
from features.media.errors import ATTACHMENT_ERRORS
from features.posts.drafting import SavedDraft
from features.posts.errors import (
    DRAFT_ERRORS,
    POLL_ERRORS,
    BadPublishAt,
    NoSuchDraft,
    TooManyDrafts,
    UnknownList,
    UnknownQuotedPost,
)
from features.posts.model import Audience
from features.posts.policy import PostPolicy
from features.posts.polls import MAX_OPTIONS
from features.relationships.errors import NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["drafts"], route_class=ConditionalRoute)

_ERRORS = (*DRAFT_ERRORS, *POLL_ERRORS, *ATTACHMENT_ERRORS, UnknownQuotedPost, BadPublishAt, NoSuchPerson)

DraftId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])]
Scheduled = Annotated[
    bool | None, Query(description="Only drafts with a time of publication (true), or only those without (false).")
]


class DraftBody(PostBody):
    """A post to publish later. What a post may not have, a draft may not have either."""

    publish_at: AwareDatetime | None = Field(
        default=None,
        description="When to publish it, at least a minute and at most 366 days ahead; null: not by itself.",
        examples=["2026-12-24T18:00:00Z"],
    )


class DraftedPollModel(BaseModel):
    """A poll of a draft."""

    options: list[models.PollOption] = Field(min_length=2, max_length=MAX_OPTIONS, examples=[["By train", "By boat"]])
    multiple: bool = Field(examples=[False])
    duration_s: int = Field(description="How long it takes votes from its publication.", examples=[86_400])


class DraftedMediumModel(BaseModel):
    """An image or a video of a draft."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    alt: models.AltText = Field(examples=["A tram on a hill"])


class DraftModel(BaseModel):
    """A draft. Only its author can see it."""

    id: UUID = Field(description="Also that of the post.", examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])
    text: models.PostText = Field(examples=["On my way to #Lisbon with @grace"])
    audience: Audience = Field(examples=["public"])
    list_id: UUID | None = Field(examples=[None])
    content_warning: models.ContentWarning | None = Field(examples=[None])
    place: PlaceModel | None
    poll: DraftedPollModel | None
    quoted_id: UUID | None = Field(examples=[None])
    media: list[DraftedMediumModel] = Field(max_length=PostPolicy().max_media)
    publish_at: datetime | None = Field(examples=["2026-12-24T18:00:00Z"])
    problem: Annotated[str, Field(max_length=100)] | None = Field(
        description="The code of the error for which it was not published at its time: `unknown_list`.",
        examples=[None],
    )
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    updated_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


def _render(draft: SavedDraft) -> DraftModel:
    return DraftModel.model_validate(draft, from_attributes=True)


@router.post("/drafts", status_code=HTTPStatus.CREATED)
@raises(*_ERRORS, TooManyDrafts)
@located("/drafts/{id}")
async def create_draft(body: DraftBody, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> DraftModel:
    """Save a draft, or schedule a post. You can have at most 100."""
    draft = await posts.drafts.create(uow, identity.account_id, body.content(), body.publish_at, now)
    return _render(draft)


@router.get("/drafts")
async def drafts(
    identity: SignedIn, posts: Posts, uow: Uow, page: PageDep, scheduled: Scheduled = None
) -> PageModel[DraftModel]:
    """List your drafts, newest first."""
    return render_page(await posts.drafts.of_author(uow, identity.account_id, scheduled, page), _render)


@router.get("/drafts/{draft_id}")
@raises(NoSuchDraft)
async def draft(draft_id: DraftId, identity: SignedIn, posts: Posts, uow: Uow) -> DraftModel:
    """Get a draft of yours."""
    return _render(await posts.drafts.get(uow, draft_id, identity.account_id))


@router.put("/drafts/{draft_id}")
@raises(*_ERRORS, NoSuchDraft)
async def replace_draft(
    draft_id: DraftId, body: DraftBody, identity: SignedIn, posts: Posts, uow: Uow, now: Now
) -> DraftModel:
    """Replace a draft of yours, its time of publication included."""
    replaced = await posts.drafts.replace(uow, draft_id, identity.account_id, body.content(), body.publish_at, now)
    return _render(replaced)


@router.delete("/drafts/{draft_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchDraft)
async def delete_draft(draft_id: DraftId, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> None:
    """Delete a draft of yours. A scheduled one will not be published."""
    await posts.drafts.delete(uow, draft_id, identity.account_id, now)
    await forget_responses(uow, identity.account_id, draft_id)


@router.post("/drafts/{draft_id}/publication", response_model=PostModel, status_code=HTTPStatus.CREATED)
@raises(NoSuchDraft, UnknownList)
@located("/posts/{id}")
async def publish_draft(draft_id: DraftId, identity: Poster, posts: Posts, uow: Uow, now: Now) -> Response:
    """Publish a draft of yours now. The post has its id, and the draft is gone."""
    post = await posts.drafts.publish(uow, draft_id, identity.account_id, now)
    return respond(post, HTTPStatus.CREATED)
