"""Links to posts over HTTP."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.conditional import ConditionalRoute
from api.deps import MaybeSignedIn, Now, PageDep, SignedIn, Uow, account_or_none, service
from api.error_codes import raises
from api.models import Body, PageModel, render_page
from api.post_views import PostModel, respond
from api.routes import VERSION, Routes
from api.transaction import forget_responses, located
from features.posts.errors import NoSuchPost
from features.share_links.errors import BadLinkLifetime, NoSharedPost, NoSuchShareLink, TooManyShareLinks
from features.share_links.model import ShareLink
from features.share_links.service import ShareLinkService

router = APIRouter(prefix=VERSION, tags=["links"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Links = Annotated[ShareLinkService, service(ShareLinkService)]

LinkId = Annotated[UUID, Path(description="One of your links.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])]
_POST = "0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"
_SEALED = "AZfxwF0cfB6bDi8fb59_EQAAAABpaJIA"


class ShareLinkBody(Body):
    """A link to make."""

    expires_in_s: int | None = Field(
        default=None,
        ge=1,
        le=10 * 366 * 86_400,
        description="How long it is good, in seconds: a minute to 366 days; without it, as the brand says (30 days).",
        examples=[604_800],
    )


class ShareLinkModel(BaseModel):
    """A link to a post. It shows the post to those who may see it, while you may, until it expires or you revoke it."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    post_id: UUID = Field(examples=[_POST])
    path: str = Field(
        max_length=200, description="Relative to the address of the API (`/v1`).", examples=[f"/shared/{_SEALED}"]
    )
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    expires_at: datetime = Field(examples=["2026-11-29T15:04:05Z"])


def _render(link: ShareLink) -> ShareLinkModel:
    return ShareLinkModel(
        id=link.id,
        post_id=link.post_id,
        path=f"/shared/{link.token}",
        created_at=link.created_at,
        expires_at=link.expires_at,
    )


@router.post("/posts/{post_id}/share-links", status_code=HTTPStatus.CREATED)
@raises(NoSuchPost, BadLinkLifetime, TooManyShareLinks)
@located("/share-links/{id}")
async def create_share_link(
    post_id: Annotated[UUID, Path(examples=[_POST])],
    body: ShareLinkBody,
    identity: SignedIn,
    links: Links,
    uow: Uow,
    now: Now,
) -> ShareLinkModel:
    """Make a link to a post that you may see, to share it outside. It gives nobody a right to see the post."""
    lifetime = None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s)
    return _render(await links.create(uow, identity.account_id, post_id, lifetime, now))


@router.get("/share-links")
async def share_links(
    identity: SignedIn,
    links: Links,
    uow: Uow,
    page: PageDep,
    now: Now,
    post_id: Annotated[UUID | None, Query(description="Only links to this post.", examples=[_POST])] = None,
) -> PageModel[ShareLinkModel]:
    """List your links that have not expired, newest first."""
    return render_page(await links.of_account(uow, identity.account_id, post_id, page, now), _render)


@router.get("/share-links/{link_id}")
@raises(NoSuchShareLink)
async def share_link(link_id: LinkId, identity: SignedIn, links: Links, uow: Uow, now: Now) -> ShareLinkModel:
    """Get one of your links."""
    return _render(await links.get(uow, identity.account_id, link_id, now))


@router.delete("/share-links/{link_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchShareLink)
async def revoke_share_link(link_id: LinkId, identity: SignedIn, links: Links, uow: Uow, now: Now) -> None:
    """Revoke one of your links: it shows nothing to anybody from then on."""
    await links.revoke(uow, identity.account_id, link_id, now)
    await forget_responses(uow, identity.account_id, link_id)


@router.get("/shared/{token}", response_model=PostModel)
@raises(NoSharedPost)
async def shared_post(
    token: Annotated[str, Path(max_length=200, examples=[_SEALED])],
    identity: MaybeSignedIn,
    links: Links,
    uow: Uow,
    now: Now,
) -> Response:
    """Get the post of a link, as you see it. Without an access token, that is a public post or nothing."""
    return respond(await links.open(uow, token, account_or_none(identity), now))
