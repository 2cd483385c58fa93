"""Posts over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from api import drafts, models, post_media, post_videos
from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, PageDep, Poster, SealedPageDep, SignedIn, Uow, account_or_none
from api.error_codes import raises
from api.post_bodies import PostBody, PostChangeBody, Posts, VoteBody, media_drafts
from api.post_views import PollModel, PostModel, PostPage, respond
from api.profiles import PersonModel, Username, render_person
from api.routes import VERSION, Routes
from api.transaction import forget_responses, located
from api.version_views import VersionPage
from features.media.errors import ATTACHMENT_ERRORS
from features.posts.errors import (
    DRAFT_ERRORS,
    POLL_ERRORS,
    AlreadyReposted,
    AlreadyVoted,
    BadChoices,
    BadHashtag,
    NoPoll,
    NoSuchPost,
    NotEditable,
    NotShareable,
    NotTheAuthor,
    PollClosed,
    TooManyPinned,
    UnknownQuotedPost,
)
from features.posts.model import Reposter
from features.posts.policy import PostPolicy
from features.relationships.errors import NoSuchPerson

router = APIRouter(prefix=VERSION, tags=["posts"], route_class=ConditionalRoute)

ROUTES = Routes((router, drafts.router, post_media.router, post_media.content, post_videos.router))

_REPOST = "0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c14"
PostId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])]

Tag = Annotated[
    str,
    Path(
        max_length=120,
        description="A hashtag in any spelling (`café`, `CAFÉ`), with or without its `#` (as %23).",
        examples=["lisbon"],
    ),
]


class HashtagDayModel(BaseModel):
    """A day (UTC) on which a hashtag is used."""

    day: str = Field(max_length=10, examples=["2026-11-22"])
    posts: int = Field(examples=[3])


class HashtagModel(BaseModel):
    """How much a hashtag is used in public posts, by the day on which they were published, newest first."""

    tag: models.Tag = Field(examples=["lisbon"])
    posts: int = Field(description="Public posts with it.", examples=[12])
    days: list[HashtagDayModel] = Field(max_length=PostPolicy().hashtag_days)


class ReposterModel(BaseModel):
    """Somebody who reposted a post, and when."""

    person: PersonModel
    repost_id: UUID = Field(description="The repost, which is a post, too.", examples=[_REPOST])
    at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


def _render_reposter(reposter: Reposter) -> ReposterModel:
    return ReposterModel(person=render_person(reposter.person), repost_id=reposter.repost_id, at=reposter.at)


@router.post("/posts", response_model=PostModel, status_code=HTTPStatus.CREATED)
@raises(*DRAFT_ERRORS, *POLL_ERRORS, *ATTACHMENT_ERRORS, UnknownQuotedPost, NoSuchPerson)
@located("/posts/{id}")
async def create(body: PostBody, identity: Poster, posts: Posts, uow: Uow, now: Now) -> Response:
    """Publish a post."""
    return respond(await posts.create(uow, identity.account_id, body.content(), now), HTTPStatus.CREATED)


@router.get("/posts/{post_id}", response_model=PostModel)
@raises(NoSuchPost)
async def get(post_id: PostId, identity: MaybeSignedIn, posts: Posts, uow: Uow, now: Now) -> Response:
    """Get a post."""
    return respond(await posts.get(uow, post_id, account_or_none(identity), now))


@router.patch("/posts/{post_id}", response_model=PostModel)
@raises(*DRAFT_ERRORS, *ATTACHMENT_ERRORS, NoSuchPost, NotTheAuthor, NotEditable)
async def edit(post_id: PostId, body: PostChangeBody, identity: Poster, posts: Posts, uow: Uow, now: Now) -> Response:
    """Change a post of yours. What it had before, its media too, is kept in its history if the text, the content
    warning or the media are replaced."""
    post = await posts.edit(
        uow,
        post_id,
        identity.account_id,
        now,
        text=body.text,
        audience=body.audience,
        list_id=body.list_id,
        content_warning=body.content_warning,
        place=body.place.value() if body.place else None,
        media=None if body.media is None else media_drafts(body.media),
    )
    return respond(post)


@router.put("/posts/{post_id}/repost", response_model=PostModel)
@raises(NoSuchPost, NotShareable, AlreadyReposted, NoSuchPerson)
async def repost(post_id: PostId, identity: Poster, posts: Posts, uow: Uow, now: Now) -> Response:
    """Repost a public post, and get the repost: a post of yours without a text. Again, it changes nothing."""
    return respond(await posts.shares.repost(uow, post_id, identity.account_id, now))


@router.get("/posts/{post_id}/reposts")
@raises(NoSuchPost)
async def reposts(
    post_id: PostId, identity: MaybeSignedIn, posts: Posts, uow: Uow, page: SealedPageDep
) -> models.PageModel[ReposterModel]:
    """List who has reposted a post, the last one first, as far as you may see them. (The number includes everybody.) A
    page may have fewer items than asked for, even none, and a `next_cursor`."""
    found = await posts.shares.reposters(uow, post_id, account_or_none(identity), page)
    return models.render_page(found, _render_reposter)


@router.get("/posts/{post_id}/quotes", response_model=PostPage)
@raises(NoSuchPost)
async def quotes(
    post_id: PostId, identity: MaybeSignedIn, posts: Posts, uow: Uow, page: SealedPageDep, now: Now
) -> Response:
    """List the posts that quote a post, newest first, as far as you may see them. (The number includes all that are
    public, and no others.) A page may have fewer items than asked for, even none, and a `next_cursor`."""
    return respond(await posts.shares.quotes(uow, post_id, account_or_none(identity), page, now))


@router.delete("/posts/{post_id}/repost", status_code=HTTPStatus.NO_CONTENT)
async def undo_repost(post_id: PostId, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> None:
    """Undo your repost of a post. (Deleting the repost itself is the same.)"""
    await posts.shares.undo(uow, post_id, identity.account_id, now)


@router.put("/posts/{post_id}/poll/vote", response_model=PollModel)
@raises(NoSuchPost, NoPoll, BadChoices, PollClosed, AlreadyVoted)
async def vote(post_id: PostId, body: VoteBody, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> Response:
    """Vote in the poll of a post. A vote cannot be changed; the same one again is no error. Nobody else can see it."""
    return respond(await posts.polls.vote(uow, post_id, identity.account_id, body.choices, now))


@router.put("/posts/{post_id}/pin", response_model=PostModel)
@raises(NoSuchPost, NotTheAuthor, TooManyPinned)
async def pin(post_id: PostId, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> Response:
    """Pin a post of yours to your profile, before those that are pinned already. Its audience stays as it is."""
    return respond(await posts.pin(uow, post_id, identity.account_id, now))


@router.delete("/posts/{post_id}/pin", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchPost, NotTheAuthor)
async def unpin(post_id: PostId, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> None:
    """Take a post of yours off the top of your profile."""
    await posts.unpin(uow, post_id, identity.account_id, now)


@router.delete("/posts/{post_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchPost, NotTheAuthor)
async def delete(post_id: PostId, identity: SignedIn, posts: Posts, uow: Uow, now: Now) -> None:
    """Delete a post of yours, with its history."""
    await posts.delete(uow, post_id, identity.account_id, now)
    await forget_responses(uow, identity.account_id, post_id)


@router.get("/posts/{post_id}/history", response_model=VersionPage)
@raises(NoSuchPost)
async def history(
    post_id: PostId, identity: MaybeSignedIn, page: PageDep, posts: Posts, uow: Uow, now: Now
) -> Response:
    """List the versions of a post, newest first, as far as they were visible to you."""
    return respond(await posts.history(uow, post_id, account_or_none(identity), page, now))


@router.get("/profiles/{username}/posts", response_model=PostPage)
@raises(NoSuchPerson)
async def of_profile(
    username: Username, identity: MaybeSignedIn, page: PageDep, posts: Posts, uow: Uow, now: Now
) -> Response:
    """List a person's posts that you may see: pinned ones first, the others newest first."""
    return respond(await posts.of_author(uow, username, account_or_none(identity), page, now))


@router.get("/hashtags/{tag}", response_model=HashtagModel)
@raises(BadHashtag)
async def hashtag(tag: Tag, _: MaybeSignedIn, posts: Posts, uow: Uow) -> Response:
    """Get how much a hashtag is used in public posts. The numbers are updated within seconds."""
    return respond(await posts.hashtag(uow, tag))


@router.get("/hashtags/{tag}/posts", response_model=PostPage)
@raises(BadHashtag)
async def with_hashtag(
    tag: Tag, identity: MaybeSignedIn, page: SealedPageDep, posts: Posts, uow: Uow, now: Now
) -> Response:
    """List the posts with a hashtag that you may see, newest first. A page may have fewer items than asked for, even
    none, and a `next_cursor`."""
    return respond(await posts.with_hashtag(uow, tag, account_or_none(identity), page, now))
