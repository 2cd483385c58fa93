"""Profiles in statements of other slices."""

from collections.abc import Collection
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.relationships.visibility import apart


def joined(alias: str, account: str) -> str:
    """A join with the profile of an account (an SQL expression), for its columns username and name."""
    return f"join profiles as {alias} on {alias}.account_id = {account}"


_USERNAMES = f"""
select account_id::text as account_id, username from profiles
where account_id = any($1::uuid[]) and not {apart("account_id", "$2::uuid")}
"""


async def visible_usernames(uow: UnitOfWork, viewer_id: UUID | None, account_ids: Collection[str]) -> dict[str, str]:
    """Returns the usernames of accounts, except those who are apart from the viewer. One statement."""
    rows = await uow.fetch(_USERNAMES, [UUID(account_id) for account_id in account_ids], viewer_id)
    return {row["account_id"]: row["username"] for row in rows}
