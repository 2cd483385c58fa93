"""Comments over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api import models
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, Poster, SealedPageDep, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import Body
from api.post_views import AuthorModel, EntityModel, ReactionsModel, respond
from api.posts import PostId
from api.routes import VERSION, Routes
from api.transaction import forget_responses, located
from features.comments.errors import (
    COMMENT_TEXT_ERRORS,
    BadFilterWord,
    CommentingRestricted,
    NoSuchComment,
    NoSuchParent,
    NotTheCommenter,
    NotTheModerator,
    TooDeep,
)
from features.comments.model import Commenters, CommentOrder
from features.comments.policy import CommentPolicy
from features.comments.service import CommentService
from features.posts.errors import NoSuchPost
from features.relationships.errors import NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["comments"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

_POLICY = CommentPolicy()
_MAX_TEXT = _POLICY.max_text_length

Comments = Annotated[CommentService, service(CommentService)]

CommentId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c21"])]
Order = Annotated[CommentOrder, Query(description="The order of the list.", examples=["newest"])]

_RawText = Annotated[
    str,
    Field(
        max_length=models.MAX_DECOMPOSED * _MAX_TEXT,
        description=f"Plain text with at least one visible character, at most {_MAX_TEXT:,} characters (Unicode code "
        f"points), {_POLICY.max_lines} lines and {_POLICY.max_emoji} emoji.",
        examples=["See you there, @grace"],
    ),
]


class CommentBody(Body):
    """A comment on a post."""

    text: _RawText
    parent_id: UUID | None = Field(
        default=None, description="The comment that is replied to; null: the post.", examples=[None]
    )


class CommentChangeBody(Body):
    """The new text of a comment."""

    text: _RawText


class CommentModel(BaseModel):
    """A comment as you see it. One that was deleted and has replies keeps its place, without author and text."""

    model_config = ConfigDict(extra="forbid")

    id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c21"])
    post_id: UUID = Field(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])
    parent_id: UUID | None = Field(description="The comment that it replies to; null: the post.", examples=[None])
    depth: int = Field(ge=1, le=_POLICY.max_depth, examples=[1])
    author: AuthorModel | None = Field(description="Null: it is deleted.")
    text: Annotated[str, Field(max_length=_MAX_TEXT)] | None = Field(examples=["See you there, @grace"])
    entities: list[EntityModel] = Field(max_length=_MAX_TEXT // 2, description="As in posts.")
    hidden: bool = Field(
        description="Hidden by the author of the post: only that person and its author see it.", examples=[False]
    )
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    edited_at: datetime | None = Field(examples=[None])
    replies: int = Field(ge=0, description="How many there are on the level below.", examples=[2])
    reactions: ReactionsModel


class CommentPage(BaseModel):
    """A page of comments on one level. Pass `next_cursor` as `cursor`, with the same `order`, to get the next page."""

    model_config = ConfigDict(extra="forbid")

    items: list[CommentModel] = Field(max_length=models.MAX_PAGE)
    next_cursor: models.NextCursor | None = Field(examples=["AAYk5iQ2QAABjxk3nQJ7_IyR1xCGc2qq"])


class CommentingModel(Body):
    """Who may comment on a post, of those who see it. Its author always may."""

    commenters: Commenters = Field(
        description="`connections` are friends (Entativa) or followers (Vignette) of the post's author.",
        examples=["connections"],
    )


class FilterWordsModel(Body):
    """Words with which comments on your posts are hidden. Case does not count."""

    words: list[Annotated[str, Field(max_length=4 * _POLICY.max_filter_word_length)]] = Field(
        max_length=_POLICY.max_filter_words, examples=[["spoiler", "buy now"]]
    )


@router.post("/posts/{post_id}/comments", response_model=CommentModel, status_code=HTTPStatus.CREATED)
@raises(*COMMENT_TEXT_ERRORS, NoSuchPost, NoSuchParent, TooDeep, CommentingRestricted, NoSuchPerson)
@located("/comments/{id}")
async def create(
    post_id: PostId, body: CommentBody, identity: Poster, comments: Comments, uow: Uow, now: Now
) -> Response:
    """Comment on a post, or reply to a comment on it."""
    comment = await comments.create(uow, identity.account_id, post_id, body.parent_id, body.text, now)
    return respond(comment, HTTPStatus.CREATED)


@router.get("/posts/{post_id}/comments", response_model=CommentPage)
@raises(NoSuchPost)
async def on_post(
    post_id: PostId,
    identity: MaybeSignedIn,
    comments: Comments,
    uow: Uow,
    page: SealedPageDep,
    order: Order = CommentOrder.RELEVANCE,
) -> Response:
    """List the comments on a post that you may see, without replies. A page may have fewer items than asked for, even
    none, and a `next_cursor`."""
    return respond(await comments.on_post(uow, post_id, account_or_none(identity), order, page))


@router.get("/posts/{post_id}/commenters")
@raises(NoSuchPost)
async def commenters(post_id: PostId, identity: MaybeSignedIn, comments: Comments, uow: Uow) -> CommentingModel:
    """Get who may comment on a post."""
    return CommentingModel(commenters=await comments.moderation.commenters(uow, post_id, account_or_none(identity)))


@router.put("/posts/{post_id}/commenters")
@raises(NoSuchPost, NotTheModerator)
async def restrict(
    post_id: PostId, body: CommentingModel, identity: SignedIn, comments: Comments, uow: Uow
) -> CommentingModel:
    """Set who may comment on a post of yours. Comments that are there stay."""
    await comments.moderation.restrict(uow, post_id, identity.account_id, body.commenters)
    return body


@router.get("/comments/{comment_id}", response_model=CommentModel)
@raises(NoSuchComment)
async def get(comment_id: CommentId, identity: MaybeSignedIn, comments: Comments, uow: Uow) -> Response:
    """Get a comment."""
    return respond(await comments.get(uow, comment_id, account_or_none(identity)))


@router.get("/comments/{comment_id}/replies", response_model=CommentPage)
@raises(NoSuchComment)
async def replies(
    comment_id: CommentId,
    identity: MaybeSignedIn,
    comments: Comments,
    uow: Uow,
    page: SealedPageDep,
    order: Order = CommentOrder.OLDEST,
) -> Response:
    """List the replies to a comment that you may see, without replies to them. A page may have fewer items than asked
    for, even none, and a `next_cursor`."""
    return respond(await comments.replies(uow, comment_id, account_or_none(identity), order, page))


@router.patch("/comments/{comment_id}", response_model=CommentModel)
@raises(*COMMENT_TEXT_ERRORS, NoSuchComment, NotTheCommenter, CommentingRestricted, NoSuchPost)
async def edit(
    comment_id: CommentId, body: CommentChangeBody, identity: Poster, comments: Comments, uow: Uow, now: Now
) -> Response:
    """Change the text of a comment of yours."""
    return respond(await comments.edit(uow, comment_id, identity.account_id, body.text, now))


@router.delete("/comments/{comment_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchComment, NotTheCommenter)
async def delete(comment_id: CommentId, identity: SignedIn, comments: Comments, uow: Uow, now: Now) -> None:
    """Delete a comment of yours, or on a post of yours. One that has replies keeps its place, without author and
    text."""
    author_id = await comments.delete(uow, comment_id, identity.account_id, now)
    await forget_responses(uow, author_id, comment_id)


@router.put("/comments/{comment_id}/hidden", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchComment, NotTheModerator)
async def hide(comment_id: CommentId, identity: SignedIn, comments: Comments, uow: Uow, now: Now) -> None:
    """Hide a comment on a post of yours from everybody but yourself and its author."""
    await comments.moderation.hide(uow, comment_id, identity.account_id, now, hidden=True)


@router.delete("/comments/{comment_id}/hidden", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchComment, NotTheModerator)
async def show(comment_id: CommentId, identity: SignedIn, comments: Comments, uow: Uow, now: Now) -> None:
    """Show a comment on a post of yours that was hidden."""
    await comments.moderation.hide(uow, comment_id, identity.account_id, now, hidden=False)


@router.get("/comment-filters")
async def words(identity: SignedIn, comments: Comments, uow: Uow) -> FilterWordsModel:
    """Get the words with which comments on your posts are hidden."""
    return FilterWordsModel(words=await comments.moderation.words(uow, identity.account_id))


@router.put("/comment-filters")
@raises(BadFilterWord)
async def filter_words(body: FilterWordsModel, identity: SignedIn, comments: Comments, uow: Uow) -> FilterWordsModel:
    """Set the words with which comments on your posts are hidden from now on, until you show them."""
    return FilterWordsModel(words=await comments.moderation.filter_words(uow, identity.account_id, body.words))
