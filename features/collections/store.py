"""SQL of collections. An account reads and changes its own alone; of the posts it sees those that the rule of posts
shows it at that moment."""

from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.collections.model import Collection, SavedPost
from features.paging import PageRequest
from features.posts.queries import seen_post
from features.posts.saved_posts import listed_entries, saved_entry
from features.posts.views import Row, after, cursor_parts

_FIND = f"""
select saved.saved_at, array(
    select collection_id from collection_posts as entries
    where entries.account_id = $1 and entries.post_id = $2 order by added_at desc, collection_id desc
) as collection_ids
from ({saved_entry("$1", "$2")}) as saved where {seen_post("saved.post_id", "$1::uuid")} is not null
"""


async def find(uow: UnitOfWork, account_id: UUID, post_id: UUID) -> SavedPost | None:
    """Returns when an account saved a post that it may see, and its collections with it."""
    row = await uow.fetchrow(_FIND, account_id, post_id)
    return SavedPost(row["saved_at"], row["collection_ids"]) if row else None


_IN_COLLECTION = listed_entries(
    "select * from collection_posts where account_id = $1 and collection_id = $5", "added_at"
)


async def in_collection(uow: UnitOfWork, account_id: UUID, collection_id: UUID, page: PageRequest) -> list[Row]:
    """Returns the posts of one of an account's collections, the last added first, as `saved_posts.saved` does."""
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
_KEEP = f"{_COLLECTION} for key share"
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
    row = await uow.fetchrow(_KEEP if keep else _COLLECTION, account_id, collection_id)
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


_ADD = f"""
insert into collection_posts (account_id, post_id, collection_id, added_at)
select saved.account_id, saved.post_id, $3, $4 from ({saved_entry("$1", "$2")} for key share) as saved
on conflict do nothing
"""
_REMOVE = "delete from collection_posts where account_id = $1 and post_id = $2 and collection_id = $3"


async def add(uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID, now: datetime) -> None:
    """Adds a post to a collection of the account, if it is saved."""
    await uow.execute(_ADD, account_id, post_id, collection_id, now)


async def remove(uow: UnitOfWork, account_id: UUID, collection_id: UUID, post_id: UUID) -> None:
    """Removes a post from a collection of the account. It stays saved."""
    await uow.execute(_REMOVE, account_id, post_id, collection_id)
