"""The service of saved posts. All of it is the caller's alone; which of the posts the caller sees is decided at each
read, by the rule of posts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.collections import store
from features.collections.errors import CollectionNameTaken, NoSuchCollection, NotSaved, TooManyCollections
from features.collections.events import PostSaved, PostUnsaved
from features.collections.model import Collection, SavedPost
from features.collections.policy import CollectionPolicy
from features.events import publish
from features.paging import Cursor, Page, PageRequest, page_of
from features.posts import saved_posts
from features.posts.errors import NoSuchPost
from features.posts.model import PostView
from features.posts.views import Row, views
from features.text import clean_line


@dataclass(frozen=True, slots=True)
class CollectionService:
    """Operations on the caller's saved posts and collections."""

    policy: CollectionPolicy

    async def save(self, uow: UnitOfWork, account_id: UUID, post_id: UUID, now: datetime) -> SavedPost:
        """Saves a post; one that is saved stays where it is. Raises NoSuchPost."""
        await self._save(uow, account_id, post_id, now)
        return await self._found(uow, account_id, post_id)

    async def saved(self, uow: UnitOfWork, account_id: UUID, post_id: UUID) -> SavedPost:
        """Returns when a post was saved, and the collections that have it. Raises NotSaved, also for a post that the
        caller may not see."""
        found = await store.find(uow, account_id, post_id)
        if found is None:
            raise NotSaved
        return found

    async def unsave(self, uow: UnitOfWork, account_id: UUID, post_id: UUID, now: datetime) -> None:
        """Removes a post from the saved ones and from all collections, if it is there."""
        if await saved_posts.unsave(uow, account_id, post_id):
            publish(uow, PostUnsaved(account_id, post_id), now)

    async def posts(self, uow: UnitOfWork, account_id: UUID, page: PageRequest, now: datetime) -> Page[PostView]:
        """Returns the saved posts, the last saved first."""
        return await _page(uow, account_id, await saved_posts.saved(uow, account_id, page), page, now)

    async def create(self, uow: UnitOfWork, account_id: UUID, name: str, now: datetime) -> Collection:
        """Creates an empty collection. Raises the errors of names, CollectionNameTaken, TooManyCollections."""
        collection = Collection(new_id(now), self._clean(name), now)
        if await store.lock(uow, account_id) >= self.policy.max_collections:
            raise TooManyCollections(f"You can have at most {self.policy.max_collections} collections.")
        if not await store.create(uow, account_id, collection):
            raise CollectionNameTaken
        return collection

    async def collection(self, uow: UnitOfWork, account_id: UUID, collection_id: UUID) -> Collection:
        """Returns a collection. Raises NoSuchCollection."""
        return await self._require(uow, account_id, collection_id)

    async def collections(self, uow: UnitOfWork, account_id: UUID, page: PageRequest) -> Page[Collection]:
        """Returns the collections, newest first."""
        return page_of(await store.collections(uow, account_id, page), page.limit, Collection.cursor)

    async def rename(self, uow: UnitOfWork, account_id: UUID, collection_id: UUID, name: str) -> Collection:
        """Renames a collection. Raises NoSuchCollection, the errors of names, CollectionNameTaken."""
        cleaned = self._clean(name)
        await store.lock(uow, account_id)
        collection = await self._require(uow, account_id, collection_id)
        if not await store.rename(uow, account_id, collection_id, cleaned):
            raise CollectionNameTaken
        return Collection(collection.id, cleaned, collection.created_at)

    async def delete(self, uow: UnitOfWork, account_id: UUID, collection_id: UUID) -> None:
        """Deletes a collection; its posts stay saved. Raises NoSuchCollection."""
        if not await store.delete(uow, account_id, collection_id):
            raise NoSuchCollection

    async def add(
        self, uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID, now: datetime
    ) -> SavedPost:
        """Adds a post to a collection, and saves it if it is not saved yet. Raises NoSuchCollection, NoSuchPost."""
        await self._require(uow, account_id, collection_id, keep=True)
        await self._save(uow, account_id, post_id, now)
        await store.add(uow, account_id, collection_id, post_id, now)
        return await self._found(uow, account_id, post_id)

    async def remove(self, uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID) -> None:
        """Removes a post from a collection, if it is there; it stays saved. Raises NoSuchCollection."""
        await self._require(uow, account_id, collection_id)
        await store.remove(uow, account_id, collection_id, post_id)

    async def posts_of(
        self, uow: UnitOfWork, account_id: UUID, collection_id: UUID, page: PageRequest, now: datetime
    ) -> Page[PostView]:
        """Returns the posts of a collection, the last added first. Raises NoSuchCollection."""
        await self._require(uow, account_id, collection_id)
        rows = await store.in_collection(uow, account_id, collection_id, page)
        return await _page(uow, account_id, rows, page, now)

    def _clean(self, name: str) -> str:
        return clean_line(name, field="name", max_characters=self.policy.max_name_length)

    async def _require(
        self, uow: UnitOfWork, account_id: UUID, collection_id: UUID, *, keep: bool = False
    ) -> Collection:
        found = await store.collection(uow, account_id, collection_id, keep=keep)
        if found is None:
            raise NoSuchCollection
        return found

    async def _save(self, uow: UnitOfWork, account_id: UUID, post_id: UUID, now: datetime) -> None:
        if await saved_posts.save(uow, account_id, post_id, now):
            publish(uow, PostSaved(account_id, post_id), now)

    async def _found(self, uow: UnitOfWork, account_id: UUID, post_id: UUID) -> SavedPost:
        found = await store.find(uow, account_id, post_id)
        if found is None:
            raise NoSuchPost
        return found


async def _page(uow: UnitOfWork, account_id: UUID, rows: list[Row], page: PageRequest, now: datetime) -> Page[PostView]:
    paged = page_of(rows, page.limit, lambda row: Cursor(row["listed_at"], UUID(row["id"])))
    return Page(await views(uow, account_id, paged.items, now), paged.next_cursor)
