"""Profiles in statements of other slices."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.profiles.model import Person
from features.relationships.visibility import apart

Row = Any
"""A row of a result: columns by name."""


def joined(alias: str, account: str) -> str:
    """A join with the profile of an account (an SQL expression) and its images, for `person_columns(alias)`."""
    return f"""join profiles as {alias} on {alias}.account_id = {account}
        left join profile_images as {alias}_images on {alias}_images.account_id = {account}"""


def person_columns(alias: str) -> str:
    """The columns of a joined profile that lists and posts show, for `person_of`."""
    return f"{alias}.username, {alias}.name, {alias}_images.avatar"


def person_of(row: Row, account_id: UUID) -> Person:
    """Returns a person from a row with the columns `person_columns`."""
    return Person(account_id, row["username"], row["name"], row["avatar"])


_USERNAMES = f"""
select account_id::text as account_id, username from profiles
where account_id = any($1::uuid[]) and not {apart("account_id", "$2::uuid")}
"""


async def visible_usernames(uow: UnitOfWork, viewer_id: UUID | None, account_ids: Collection[str]) -> dict[str, str]:
    """Returns the usernames of accounts, except those who are apart from the viewer. One statement."""
    rows = await uow.fetch(_USERNAMES, [UUID(account_id) for account_id in account_ids], viewer_id)
    return {row["account_id"]: row["username"] for row in rows}
