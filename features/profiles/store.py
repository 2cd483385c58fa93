"""SQL of profiles."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from cluster.postgres import UnitOfWork
from features.accounts.queries import inactive
from features.profiles.model import Images, Person, Profile, ProfileImage
from features.profiles.queries import person_of
from features.relationships.visibility import apart, has_blocked

if TYPE_CHECKING:
    from asyncpg import Record

_INSERT = """
insert into profiles (account_id, username, name, created_at, updated_at) values ($1, $2, $3, $4, $4)
on conflict (username) do nothing
"""

_RESOLVE = f"""
select account_id from profiles where username = $1 and not {apart("$2::uuid", "account_id")}
"""

_WITH_IMAGES = "profiles left join profile_images using (account_id)"
_PROFILE = f"""
select account_id, username, name, bio, pronouns, links, created_at, avatar, cover from {_WITH_IMAGES}
"""
_FIND = f"{_PROFILE} where account_id = $1"
_FIND_VISIBLE = f"{_PROFILE} where username = $1 and not {apart('$2::uuid', 'account_id')}"
_FIND_VISIBLE_BY_ID = f"{_FIND} and not {apart('$2::uuid', 'account_id')}"

_RESOLVE_BLOCKED_TOO = f"""
select account_id from profiles
where username = $1 and not {inactive("account_id")}
    and ({has_blocked("$2", "account_id")} or not {has_blocked("account_id", "$2")})
"""

_RESOLVE_MANY = f"""
select username, account_id from profiles
where username = any($1::text[]) and not {apart("$2::uuid", "account_id")}
"""

_RESOLVE_FOR = f"""
select username, account_id, name, avatar from {_WITH_IMAGES} where account_id = $2
union all
select username, account_id, name, avatar from {_WITH_IMAGES}
where username = any($1::text[]) and account_id <> $2 and not {apart("$2::uuid", "account_id")}
"""

_PEOPLE = f"select account_id, username, name, avatar from {_WITH_IMAGES} where account_id = any($1::uuid[])"

_UPDATE = """
with updated as (
    update profiles set name = coalesce($2, name), bio = coalesce($3, bio), pronouns = coalesce($4, pronouns),
        links = coalesce($5::text[], links), updated_at = $6
    where account_id = $1 returning *
)
select account_id, username, name, bio, pronouns, links, created_at, avatar, cover
from updated left join profile_images using (account_id)
"""


async def insert(uow: UnitOfWork, account_id: UUID, username: str, name: str, now: datetime) -> bool:
    """Inserts a profile. Returns False if the username is taken."""
    return await uow.execute(_INSERT, account_id, username, name, now) == "INSERT 0 1"


async def resolve(uow: UnitOfWork, viewer_id: UUID | None, username: str) -> UUID | None:
    """Returns the account of a username, unless it is apart from the viewer."""
    account_id: UUID | None = await uow.fetchval(_RESOLVE, username, viewer_id)
    return account_id


async def holder(uow: UnitOfWork, username: str) -> UUID | None:
    """Returns the account of a username, whatever its state."""
    account_id: UUID | None = await uow.fetchval("select account_id from profiles where username = $1", username)
    return account_id


async def resolve_blocked_too(uow: UnitOfWork, viewer_id: UUID, username: str) -> UUID | None:
    """Like `resolve`, but finds accounts that the viewer has blocked."""
    account_id: UUID | None = await uow.fetchval(_RESOLVE_BLOCKED_TOO, username, viewer_id)
    return account_id


async def resolve_many(uow: UnitOfWork, viewer_id: UUID | None, usernames: Collection[str]) -> dict[str, UUID]:
    rows = await uow.fetch(_RESOLVE_MANY, list(usernames), viewer_id)
    return {row["username"]: row["account_id"] for row in rows}


async def resolve_for(uow: UnitOfWork, account_id: UUID, usernames: Collection[str]) -> list[Person]:
    """Returns the account itself, and those of usernames that are not apart from it. Begins no transaction."""
    rows = await uow.read(_RESOLVE_FOR, list(usernames), account_id)
    return [person_of(row, row["account_id"]) for row in rows]


async def people(uow: UnitOfWork, account_ids: Collection[UUID]) -> dict[UUID, Person]:
    rows = await uow.fetch(_PEOPLE, list(account_ids))
    return {row["account_id"]: person_of(row, row["account_id"]) for row in rows}


async def find(uow: UnitOfWork, account_id: UUID) -> Profile | None:
    row = await uow.fetchrow(_FIND, account_id)
    return _profile(row) if row else None


async def find_visible(uow: UnitOfWork, viewer_id: UUID | None, username: str) -> Profile | None:
    """Returns the profile of a username, unless it is apart from the viewer."""
    row = await uow.fetchrow(_FIND_VISIBLE, username, viewer_id)
    return _profile(row) if row else None


async def find_visible_by_id(uow: UnitOfWork, viewer_id: UUID | None, account_id: UUID) -> Profile | None:
    """Returns the profile of an account, unless it is apart from the viewer."""
    row = await uow.fetchrow(_FIND_VISIBLE_BY_ID, account_id, viewer_id)
    return _profile(row) if row else None


async def update(
    uow: UnitOfWork,
    account_id: UUID,
    name: str | None,
    bio: str | None,
    pronouns: str | None,
    links: list[str] | None,
    now: datetime,
) -> Profile | None:
    """Changes what is not None."""
    row = await uow.fetchrow(_UPDATE, account_id, name, bio, pronouns, links, now)
    return _profile(row) if row else None


_LOCK = "select account_id from profiles where account_id = $1 for no key update"


async def lock_images(uow: UnitOfWork, account_id: UUID) -> Images | None:
    """Returns the images of a profile, which nobody changes until the unit of work ends; None if there is no
    profile."""
    if await uow.fetchval(_LOCK, account_id) is None:
        return None
    # After the lock: the statement that waits for it would return what was there before.
    row = await uow.fetchrow("select avatar, cover from profile_images where account_id = $1", account_id)
    return Images(row["avatar"], row["cover"]) if row else Images(None, None)


_STORE_IMAGES = """
insert into profile_images (account_id, avatar, cover) values ($1, $2::jsonb, $3::jsonb)
on conflict (account_id) do update set avatar = excluded.avatar, cover = excluded.cover
"""


async def store_images(uow: UnitOfWork, account_id: UUID, images: Images) -> None:
    """Changes what images a profile shows, after `lock_images`."""
    await uow.execute(_STORE_IMAGES, account_id, _stored(images.avatar), _stored(images.cover))


def _stored(image: ProfileImage | None) -> str | None:
    return orjson.dumps(image).decode() if image else None


def _profile(row: "Record") -> Profile:
    return Profile(
        row["account_id"],
        row["username"],
        row["name"],
        row["bio"],
        row["pronouns"],
        tuple(row["links"]),
        Images(row["avatar"], row["cover"]),
        row["created_at"],
    )
