"""Highlights over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api import models
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, PageDep, Poster, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import MAX_DECOMPOSED, Body
from api.post_views import AuthorModel, respond
from api.profiles import Username
from api.routes import VERSION
from api.story_views import StoryPage
from api.transaction import forget_responses, located
from features.posts.model import Audience
from features.relationships.errors import NoSuchPerson
from features.stories.errors import (
    HIGHLIGHT_ERRORS,
    NoSuchHighlight,
    NoSuchStory,
    NotYourHighlight,
    NotYourStory,
    TooManyHighlighted,
    TooManyHighlights,
)
from features.stories.policy import StoryPolicy
from features.stories.service import StoryService

router = APIRouter(prefix=VERSION, tags=["highlights"], route_class=ConditionalRoute)

Stories = Annotated[StoryService, service(StoryService)]
HighlightId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c41"])]
StoryId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c31"])]

_POLICY = StoryPolicy()
_RawTitle = Annotated[str, Field(max_length=MAX_DECOMPOSED * _POLICY.max_title_length)]
_TITLE = "One line of at most 50 characters."
_AUDIENCE = "Who sees its stories, whatever their own audiences are, and for good."
_LIST = "One of your own lists; required for the audience `list`, not allowed otherwise."


class HighlightBody(Body):
    """A highlight to create."""

    title: _RawTitle = Field(description=_TITLE, examples=["Lisbon"])
    audience: Audience = Field(default=Audience.PUBLIC, description=_AUDIENCE, examples=["connections"])
    list_id: UUID | None = Field(default=None, description=_LIST, examples=[None])


class HighlightChangeBody(Body):
    """The changes to a highlight. What is absent or null stays."""

    title: _RawTitle | None = Field(default=None, description=_TITLE, examples=["Lisbon 2026"])
    audience: Audience | None = Field(default=None, description=_AUDIENCE, examples=["close_friends"])
    list_id: UUID | None = Field(default=None, description=_LIST, examples=[None])


class HighlightModel(BaseModel):
    """Stories that their author keeps visible on the profile."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c41"])
    author: AuthorModel
    title: Annotated[str, Field(max_length=_POLICY.max_title_length)] = Field(examples=["Lisbon"])
    audience: Audience = Field(description=_AUDIENCE, examples=["connections"])
    list_id: UUID | None = Field(
        description="The list of an audience `list`; only its author is told which one.", examples=[None]
    )
    stories: int = Field(ge=0, description="How many it has.", examples=[3])
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


class HighlightPage(BaseModel):
    """A page of highlights, newest first. Pass `next_cursor` as `cursor` to get the next page; null: this was the
    last."""

    model_config = ConfigDict(extra="forbid")

    items: list[HighlightModel] = Field(max_length=models.MAX_PAGE)
    next_cursor: models.NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


@router.post("/highlights", response_model=HighlightModel, status_code=HTTPStatus.CREATED)
@raises(*HIGHLIGHT_ERRORS, TooManyHighlights)
@located("/highlights/{id}")
async def create(body: HighlightBody, identity: Poster, stories: Stories, uow: Uow, now: Now) -> Response:
    """Create a highlight without stories. Others see it on your profile when it has some."""
    highlights, author_id = stories.highlights, identity.account_id
    return respond(
        await highlights.create(uow, author_id, body.title, body.audience, body.list_id, now), HTTPStatus.CREATED
    )


@router.get("/highlights/{highlight_id}", response_model=HighlightModel)
@raises(NoSuchHighlight)
async def get(highlight_id: HighlightId, identity: MaybeSignedIn, stories: Stories, uow: Uow) -> Response:
    """Get a highlight."""
    return respond(await stories.highlights.get(uow, highlight_id, account_or_none(identity)))


@router.patch("/highlights/{highlight_id}", response_model=HighlightModel)
@raises(*HIGHLIGHT_ERRORS, NoSuchHighlight, NotYourHighlight)
async def change(
    highlight_id: HighlightId, body: HighlightChangeBody, identity: SignedIn, stories: Stories, uow: Uow
) -> Response:
    """Change the title or the audience of a highlight of yours."""
    change = stories.highlights.change
    return respond(await change(uow, highlight_id, identity.account_id, body.title, body.audience, body.list_id))


@router.delete("/highlights/{highlight_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchHighlight, NotYourHighlight)
async def delete(highlight_id: HighlightId, identity: SignedIn, stories: Stories, uow: Uow) -> None:
    """Delete a highlight of yours. Its stories stay in your archive."""
    await stories.highlights.delete(uow, highlight_id, identity.account_id)
    await forget_responses(uow, identity.account_id, highlight_id)


@router.get("/highlights/{highlight_id}/stories", response_model=StoryPage)
@raises(NoSuchHighlight)
async def stories_in(
    highlight_id: HighlightId, identity: MaybeSignedIn, page: PageDep, stories: Stories, uow: Uow, now: Now
) -> Response:
    """List the stories of a highlight, oldest first."""
    return respond(await stories.highlights.stories(uow, highlight_id, account_or_none(identity), page, now))


@router.put("/highlights/{highlight_id}/stories/{story_id}", response_model=HighlightModel)
@raises(NoSuchHighlight, NotYourHighlight, NoSuchStory, NotYourStory, TooManyHighlighted)
async def add(
    highlight_id: HighlightId, story_id: StoryId, identity: SignedIn, stories: Stories, uow: Uow, now: Now
) -> Response:
    """Add a story of yours to a highlight of yours. From then on, the highlight's audience sees it."""
    return respond(await stories.highlights.add(uow, highlight_id, story_id, identity.account_id, now))


@router.delete("/highlights/{highlight_id}/stories/{story_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchHighlight, NotYourHighlight)
async def remove(highlight_id: HighlightId, story_id: StoryId, identity: SignedIn, stories: Stories, uow: Uow) -> None:
    """Take a story out of a highlight of yours."""
    await stories.highlights.remove(uow, highlight_id, story_id, identity.account_id)


@router.get("/profiles/{username}/highlights", response_model=HighlightPage)
@raises(NoSuchPerson)
async def of_profile(
    username: Username, identity: MaybeSignedIn, page: PageDep, stories: Stories, uow: Uow
) -> Response:
    """List a person's highlights that you may see, newest first."""
    return respond(await stories.highlights.of_author(uow, username, account_or_none(identity), page))
