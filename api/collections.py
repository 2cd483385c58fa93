"""Saved posts and collections over HTTP."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from api.conditional import ConditionalRoute
from api.deps import Now, PageDep, SignedIn, Uow, service
from api.error_codes import raises
from api.models import MAX_DECOMPOSED, Body, PageModel, render_page
from api.post_views import PostPage, respond
from api.routes import VERSION, Routes
from api.transaction import forget_responses, located
from features.collections.errors import CollectionNameTaken, NoSuchCollection, NotSaved, TooManyCollections
from features.collections.model import Collection, SavedPost
from features.collections.policy import CollectionPolicy
from features.collections.service import CollectionService
from features.posts.errors import NoSuchPost
from features.text_errors import TEXT_ERRORS

router = APIRouter(prefix=VERSION, tags=["collections"], route_class=ConditionalRoute)

ROUTES = Routes((router,))

Collections = Annotated[CollectionService, service(CollectionService)]

PostId = Annotated[UUID, Path(examples=["0197f1c0-6a2b-7d00-8c3e-0a4f6f9f7c13"])]
CollectionId = Annotated[
    UUID, Path(description="One of your collections.", examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
]


class CollectionBody(Body):
    name: str = Field(
        max_length=MAX_DECOMPOSED * CollectionPolicy().max_name_length,
        description="Up to 50 characters; you have no other collection of this name.",
        examples=["Recipes"],
    )


class CollectionModel(BaseModel):
    """A collection of saved posts. Only its owner sees it."""

    id: UUID = Field(examples=["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"])
    name: str = Field(max_length=CollectionPolicy().max_name_length, examples=["Recipes"])
    created_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])


class SavedPostModel(BaseModel):
    """That you have saved a post."""

    saved_at: datetime = Field(examples=["2026-11-22T15:04:05.123456Z"])
    collection_ids: list[UUID] = Field(
        max_length=CollectionPolicy().max_collections,
        description="Your collections with it.",
        examples=[["0197f1c0-5d1c-7c1e-9b0e-2f1f6f9f7c11"]],
    )


def _render(collection: Collection) -> CollectionModel:
    return CollectionModel(id=collection.id, name=collection.name, created_at=collection.created_at)


def _render_saved(saved: SavedPost) -> SavedPostModel:
    return SavedPostModel(saved_at=saved.saved_at, collection_ids=saved.collection_ids)


@router.get("/saved-posts", response_model=PostPage)
async def saved_posts(identity: SignedIn, collections: Collections, uow: Uow, page: PageDep, now: Now) -> Response:
    """List the posts that you have saved and may see, the last saved first."""
    return respond(await collections.posts(uow, identity.account_id, page, now))


@router.get("/saved-posts/{post_id}")
@raises(NotSaved)
async def saved_post(post_id: PostId, identity: SignedIn, collections: Collections, uow: Uow) -> SavedPostModel:
    """Get whether you have saved a post, and in which collections."""
    return _render_saved(await collections.saved(uow, identity.account_id, post_id))


@router.put("/saved-posts/{post_id}")
@raises(NoSuchPost)
async def save_post(
    post_id: PostId, identity: SignedIn, collections: Collections, uow: Uow, now: Now
) -> SavedPostModel:
    """Save a post. Nobody else learns it."""
    return _render_saved(await collections.save(uow, identity.account_id, post_id, now))


@router.delete("/saved-posts/{post_id}", status_code=HTTPStatus.NO_CONTENT)
async def unsave_post(post_id: PostId, identity: SignedIn, collections: Collections, uow: Uow, now: Now) -> None:
    """Remove a post from those that you have saved, and from all of your collections."""
    await collections.unsave(uow, identity.account_id, post_id, now)


@router.post("/collections", status_code=HTTPStatus.CREATED)
@raises(*TEXT_ERRORS, CollectionNameTaken, TooManyCollections)
@located("/collections/{id}")
async def create_collection(
    body: CollectionBody, identity: SignedIn, collections: Collections, uow: Uow, now: Now
) -> CollectionModel:
    """Create a collection of saved posts. You can have at most 200."""
    return _render(await collections.create(uow, identity.account_id, body.name, now))


@router.get("/collections", name="list_collections")
async def collections_of_caller(
    identity: SignedIn, collections: Collections, uow: Uow, page: PageDep
) -> PageModel[CollectionModel]:
    """List your collections, newest first."""
    return render_page(await collections.collections(uow, identity.account_id, page), _render)


@router.get("/collections/{collection_id}")
@raises(NoSuchCollection)
async def get_collection(
    collection_id: CollectionId, identity: SignedIn, collections: Collections, uow: Uow
) -> CollectionModel:
    """Get one of your collections."""
    return _render(await collections.collection(uow, identity.account_id, collection_id))


@router.patch("/collections/{collection_id}")
@raises(*TEXT_ERRORS, NoSuchCollection, CollectionNameTaken)
async def rename_collection(
    collection_id: CollectionId, body: CollectionBody, identity: SignedIn, collections: Collections, uow: Uow
) -> CollectionModel:
    """Rename one of your collections."""
    return _render(await collections.rename(uow, identity.account_id, collection_id, body.name))


@router.delete("/collections/{collection_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchCollection)
async def delete_collection(
    collection_id: CollectionId, identity: SignedIn, collections: Collections, uow: Uow
) -> None:
    """Delete one of your collections. Its posts stay saved."""
    await collections.delete(uow, identity.account_id, collection_id)
    await forget_responses(uow, identity.account_id, collection_id)


@router.get("/collections/{collection_id}/posts", response_model=PostPage)
@raises(NoSuchCollection)
async def collection_posts(
    collection_id: CollectionId, identity: SignedIn, collections: Collections, uow: Uow, page: PageDep, now: Now
) -> Response:
    """List the posts of one of your collections that you may see, the last added first."""
    return respond(await collections.posts_of(uow, identity.account_id, collection_id, page, now))


@router.put("/collections/{collection_id}/posts/{post_id}")
@raises(NoSuchCollection, NoSuchPost)
async def add_to_collection(
    collection_id: CollectionId, post_id: PostId, identity: SignedIn, collections: Collections, uow: Uow, now: Now
) -> SavedPostModel:
    """Add a post to one of your collections. It is saved, too."""
    return _render_saved(await collections.add(uow, identity.account_id, collection_id, post_id, now))


@router.delete("/collections/{collection_id}/posts/{post_id}", status_code=HTTPStatus.NO_CONTENT)
@raises(NoSuchCollection)
async def remove_from_collection(
    collection_id: CollectionId, post_id: PostId, identity: SignedIn, collections: Collections, uow: Uow
) -> None:
    """Remove a post from one of your collections. It stays saved."""
    await collections.remove(uow, identity.account_id, collection_id, post_id)
