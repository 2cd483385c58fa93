"""The service of accounts, for the slices that create them, log them in and change their state."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.account_state import AccountState
from features.accounts import store
from features.accounts.errors import EmailRegistered, NoSuchAccount, WrongAccountState
from features.accounts.events import AccountStateChanged
from features.accounts.machine import Action, Actor, Life, NotAllowed, advance
from features.accounts.model import Account, Contact
from features.accounts.policy import AccountPolicy
from features.events import publish

Announce = Callable[[UnitOfWork, UUID, AccountState, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class AccountService:
    """The accounts of one brand. `announce` tells all features of an account's new state, in its transaction."""

    policy: AccountPolicy
    announce: Announce

    async def create(self, uow: UnitOfWork, account_id: UUID, email: str, password_hash: str, now: datetime) -> None:
        """Creates an account. Raises EmailRegistered."""
        if not await store.insert(uow, account_id, email, password_hash, now):
            raise EmailRegistered

    async def exists(self, uow: UnitOfWork, email: str) -> bool:
        """Returns whether an address, in any spelling, has an account."""
        return await store.email_exists(uow, email)

    async def with_email(self, uow: UnitOfWork, email: str) -> Account | None:
        """Returns the account of an address, in any spelling."""
        return await store.by_email(uow, email)

    async def get(self, uow: UnitOfWork, account_id: UUID | None) -> Account | None:
        """Returns an account; for None nothing, after the same time."""
        return await store.by_id(uow, account_id)

    async def contact(self, uow: UnitOfWork, account_id: UUID) -> Contact | None:
        """Returns where the owner of an account gets mail."""
        return await store.contact(uow, account_id)

    async def set_password_hash(self, uow: UnitOfWork, account_id: UUID, password_hash: str) -> None:
        """Replaces the password."""
        await store.set_password_hash(uow, account_id, password_hash)

    async def change(self, uow: UnitOfWork, account_id: UUID, action: Action, actor: Actor, now: datetime) -> Life:
        """Changes an account's state as machine.py allows it, and tells all features. Returns what it is afterwards.
        Raises NoSuchAccount, WrongAccountState."""
        before = await store.lock_life(uow, account_id)
        if before is None:
            raise NoSuchAccount
        try:
            after = advance(before, action, actor, now, self.policy.deletion_grace)
        except NotAllowed:
            raise WrongAccountState(f"The account is {before.state}.") from None
        if after != before:
            await store.set_life(uow, account_id, after, now)
            await self.announce(uow, account_id, after.state, now)
            publish(uow, AccountStateChanged(account_id, after.state), now)
        return after

    async def due_for_erasure(
        self, uow: UnitOfWork, now: datetime, *, without: Collection[UUID], limit: int
    ) -> list[UUID]:
        """Returns up to `limit` accounts whose grace period is over, first those that have waited longest."""
        return await store.due(uow, now, without, limit)

    async def count_due_for_erasure(self, uow: UnitOfWork, now: datetime) -> int:
        """Returns the number of accounts whose grace period is over."""
        return await store.count_due(uow, now)

    async def claim_for_erasure(self, uow: UnitOfWork, account_id: UUID) -> bool:
        """Locks a deleted account until the unit of work ends. Returns False if it is erased, if it is not deleted, or
        if another process is erasing it."""
        return await store.claim(uow, account_id)
