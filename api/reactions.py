"""Reactions over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.comments import CommentId
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, SealedPageDep, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import Body, PageModel, render_page
from api.post_views import ReactionsModel
from api.posts import PostId
from api.profiles import PersonModel, render_person
from api.routes import VERSION, Routes
from features.comments.errors import NoSuchComment
from features.counters.errors import ReactionNotStored
from features.counters.model import ReactionKind, Reactor, Target, TargetKind
from features.posts.errors import NoSuchPost
from features.reactions.service import ReactionService

router = APIRouter(prefix=VERSION, tags=["reactions"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Reactions = Annotated[ReactionService, service(ReactionService)]

Kind = Annotated[ReactionKind | None, Query(description="Only reactions of this kind.", examples=["love"])]


class ReactionBody(Body):
    """A reaction."""

    kind: ReactionKind = Field(examples=["love"])


class ReactorModel(BaseModel):
    """Somebody who reacted, how, and when."""

    person: PersonModel
    kind: ReactionKind = Field(examples=["love"])
    at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


@router.put("/posts/{post_id}/reaction")
@raises(NoSuchPost, ReactionNotStored)
async def put_to_post(
    post_id: PostId, body: ReactionBody, identity: SignedIn, reactions: Reactions, uow: Uow, now: Now
) -> ReactionsModel:
    """React to a post, in place of your former reaction to it. The response has all reactions after it."""
    target = Target(TargetKind.POST, post_id)
    return ReactionsModel.model_validate(await reactions.put(uow, target, identity.account_id, body.kind, now))


@router.delete("/posts/{post_id}/reaction", status_code=204)
@raises(NoSuchPost, ReactionNotStored)
async def remove_from_post(post_id: PostId, identity: SignedIn, reactions: Reactions, uow: Uow, now: Now) -> None:
    """Remove your reaction to a post, if there is one."""
    await reactions.remove(uow, Target(TargetKind.POST, post_id), identity.account_id, now)


@router.get("/posts/{post_id}/reactions")
@raises(NoSuchPost)
async def to_post(
    post_id: PostId, identity: MaybeSignedIn, reactions: Reactions, uow: Uow, page: SealedPageDep, kind: Kind = None
) -> PageModel[ReactorModel]:
    """List who reacted to a post, newest first, as far as you may see them. (The counts include everybody.) A
    page may have fewer items than asked for, even none, and a `next_cursor`."""
    target = Target(TargetKind.POST, post_id)
    return render_page(await reactions.reactors(uow, target, account_or_none(identity), kind, page), _render)


@router.put("/comments/{comment_id}/reaction")
@raises(NoSuchComment, ReactionNotStored)
async def put_to_comment(
    comment_id: CommentId, body: ReactionBody, identity: SignedIn, reactions: Reactions, uow: Uow, now: Now
) -> ReactionsModel:
    """React to a comment, in place of your former reaction to it. The response has all reactions after it."""
    target = Target(TargetKind.COMMENT, comment_id)
    return ReactionsModel.model_validate(await reactions.put(uow, target, identity.account_id, body.kind, now))


@router.delete("/comments/{comment_id}/reaction", status_code=204)
@raises(NoSuchComment, ReactionNotStored)
async def remove_from_comment(
    comment_id: CommentId, identity: SignedIn, reactions: Reactions, uow: Uow, now: Now
) -> None:
    """Remove your reaction to a comment, if there is one."""
    await reactions.remove(uow, Target(TargetKind.COMMENT, comment_id), identity.account_id, now)


@router.get("/comments/{comment_id}/reactions")
@raises(NoSuchComment)
async def to_comment(
    comment_id: CommentId,
    identity: MaybeSignedIn,
    reactions: Reactions,
    uow: Uow,
    page: SealedPageDep,
    kind: Kind = None,
) -> PageModel[ReactorModel]:
    """List who reacted to a comment, newest first, as far as you may see them. (The counts include everybody.) A
    page may have fewer items than asked for, even none, and a `next_cursor`."""
    target = Target(TargetKind.COMMENT, comment_id)
    return render_page(await reactions.reactors(uow, target, account_or_none(identity), kind, page), _render)


def _render(reactor: Reactor) -> ReactorModel:
    return ReactorModel(person=render_person(reactor.person), kind=reactor.kind, at=reactor.at)
