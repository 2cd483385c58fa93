"""The service of accounts, for the slices that create them and log them in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.accounts import store
from features.accounts.model import Account
from features.errors import Conflict


@dataclass(frozen=True, slots=True)
class AccountService:
    """The accounts of one brand."""

    async def create(self, uow: UnitOfWork, account_id: UUID, email: str, password_hash: str, now: datetime) -> None:
        """Creates an account. Raises Conflict(email_registered)."""
        if not await store.insert(uow, account_id, email, password_hash, now):
            raise Conflict("email_registered", "This address has an account; log in.", field="email")

    async def exists(self, uow: UnitOfWork, email: str) -> bool:
        """Returns whether an address, in any spelling, has an account."""
        return await store.email_exists(uow, email)

    async def with_email(self, uow: UnitOfWork, email: str) -> Account | None:
        """Returns the account of an address, in any spelling."""
        return await store.by_email(uow, email)

    async def get(self, uow: UnitOfWork, account_id: UUID | None) -> Account | None:
        """Returns an account; for None nothing, after the same time."""
        return await store.by_id(uow, account_id)

    async def set_password_hash(self, uow: UnitOfWork, account_id: UUID, password_hash: str) -> None:
        """Replaces the password."""
        await store.set_password_hash(uow, account_id, password_hash)
