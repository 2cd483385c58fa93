"""SQL of saved posts and collections. An account reads and changes its own alone; of the posts it sees those that the
rule of posts shows it at that moment."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.collections.model import Collection, SavedPost
from features.paging import PageRequest
from features.posts.queries import kept_post, listed_posts, seen_post
from features.posts.views import Row, after, cursor_parts

# The lock keeps the post until the commit: the event of its deletion then finds what was saved.
_SAVE = f"""
insert into saved_posts (account_id, post_id, saved_at)
select $1, $2, $3 where {kept_post("$2")} and {seen_post("$2", "$1::uuid")} is not null
on conflict do nothing returning post_id
"""


async def save(uow: UnitOfWork, account_id: UUID, post_id: UUID, now: datetime) -> bool:
    """Saves a post that the account may see. Returns False if it was saved already, or is none of these."""
    return await uow.fetchval(_SAVE, account_id, post_id, now) is not None


async def unsave(uow: UnitOfWork, account_id: UUID, post_id: UUID) -> bool:
    """Removes a post from an account's saved posts, and so from its collections. Returns whether it was there."""
    sql = "delete from saved_posts where account_id = $1 and post_id = $2"
    return await uow.execute(sql, account_id, post_id) == "DELETE 1"


_FIND = f"""
select saved_at, array(
    select collection_id from collection_posts as entries
    where entries.account_id = $1 and entries.post_id = $2 order by added_at desc, collection_id desc
) as collection_ids
from saved_posts where account_id = $1 and post_id = $2 and {seen_post("post_id", "$1::uuid")} is not null
"""


async def find(uow: UnitOfWork, account_id: UUID, post_id: UUID) -> SavedPost | None:
    """Returns when an account saved a post that it may see, and its collections with it."""
    row = await uow.fetchrow(_FIND, account_id, post_id)
    return SavedPost(row["saved_at"], row["collection_ids"]) if row else None


def _page(table: str, listed_at: str, condition: str) -> str:
    """Returns a statement: the posts among an account's rows of a table that it may see, the last added first."""
    entries = f"""
select entries.post_id as id, entries.{listed_at} as listed_at from {table} as entries
where entries.account_id = $1 and {condition} and {seen_post("entries.post_id", "$1::uuid")} is not null
    and {after("$2", "$3", key=f"entries.{listed_at}, entries.post_id")}
order by entries.{listed_at} desc, entries.post_id desc limit $4
"""
    return listed_posts(entries, "$1::uuid")


_SAVED = _page("saved_posts", "saved_at", "true")
_IN_COLLECTION = _page("collection_posts", "added_at", "entries.collection_id = $5")


async def saved(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[Row]:
    """Returns an account's saved posts as far as it may see them, the last saved first, one more than the page holds.
    `listed_at` and `id` are the cursor after a row."""
    return [*await uow.fetch(_SAVED, account_id, *cursor_parts(page.cursor), page.limit + 1)]


async def in_collection(uow: UnitOfWork, account_id: UUID, collection_id: UUID, page: PageRequest) -> list[Row]:
    """Returns the posts of one of an account's collections, the last added first, as `saved` does."""
    return [*await uow.fetch(_IN_COLLECTION, account_id, *cursor_parts(page.cursor), page.limit + 1, collection_id)]


_LOCK = "select pg_advisory_xact_lock(hashtextextended('collections:' || $1::uuid::text, 0))"


async def lock(uow: UnitOfWork, account_id: UUID) -> int:
    """Returns how many collections an account has; nobody adds one until the unit of work ends."""
    await uow.execute(_LOCK, account_id)
    return int(await uow.fetchval("select count(*) from collections where account_id = $1", account_id))


_CREATE = """
insert into collections (account_id, id, name, created_at) values ($1, $2, $3, $4) on conflict do nothing
"""


async def create(uow: UnitOfWork, account_id: UUID, collection: Collection) -> bool:
    """Inserts a collection. Returns False if the account has one of this name."""
    tag = await uow.execute(_CREATE, account_id, collection.id, collection.name, collection.created_at)
    return tag == "INSERT 0 1"


_COLLECTION = "select id, name, created_at from collections where account_id = $1 and id = $2"
_COLLECTIONS = f"""
select id, name, created_at from collections
where account_id = $1 and {after("$2", "$3", key="created_at, id")} order by created_at desc, id desc limit $4
"""
_TAKEN = """
select exists (select from collections where account_id = $1 and id <> $2 and lower(name) = lower($3))
"""
_RENAME = "update collections set name = $3 where account_id = $1 and id = $2"


async def collection(
    uow: UnitOfWork, account_id: UUID, collection_id: UUID, *, keep: bool = False
) -> Collection | None:
    """Returns one of an account's collections. `keep` locks it against deletion until the unit of work ends."""
    row = await uow.fetchrow(_COLLECTION + (" for key share" if keep else ""), account_id, collection_id)
    return Collection(**row) if row else None


async def collections(uow: UnitOfWork, account_id: UUID, page: PageRequest) -> list[Collection]:
    """Returns an account's collections, newest first, one more than the page holds."""
    rows = await uow.fetch(_COLLECTIONS, account_id, *cursor_parts(page.cursor), page.limit + 1)
    return [Collection(**row) for row in rows]


async def rename(uow: UnitOfWork, account_id: UUID, collection_id: UUID, name: str) -> bool:
    """Renames a collection of the account, which has called `lock`. Returns False if it has another of this name."""
    if await uow.fetchval(_TAKEN, account_id, collection_id, name):
        return False
    await uow.execute(_RENAME, account_id, collection_id, name)
    return True


async def delete(uow: UnitOfWork, account_id: UUID, collection_id: UUID) -> bool:
    """Deletes a collection; its posts stay saved. Returns whether there was one."""
    sql = "delete from collections where account_id = $1 and id = $2"
    return await uow.execute(sql, account_id, collection_id) == "DELETE 1"


_ADD = """
insert into collection_posts (account_id, post_id, collection_id, added_at)
select account_id, post_id, $3, $4 from saved_posts where account_id = $1 and post_id = $2 for key share
on conflict do nothing
"""
_REMOVE = "delete from collection_posts where account_id = $1 and post_id = $2 and collection_id = $3"


async def add(uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID, now: datetime) -> None:
    """Adds a post to a collection of the account, if it is saved."""
    await uow.execute(_ADD, account_id, post_id, collection_id, now)


async def remove(uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID) -> None:
    """Removes a post from a collection of the account. It stays saved."""
    await uow.execute(_REMOVE, account_id, post_id, collection_id)


_FORGET = """
delete from saved_posts where ctid = any(array(select ctid from saved_posts where post_id = $1 limit $2 for update))
"""


async def forget(uow: UnitOfWork, post_id: UUID, limit: int) -> bool:
    """Deletes up to `limit` rows of a post that is deleted. Returns whether there may be more."""
    return await uow.execute(_FORGET, post_id, limit) == f"DELETE {limit}"
