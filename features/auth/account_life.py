"""Changes of an account's state by its owner and by operators, with their audit entries. features/accounts/machine.py
decides which are allowed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.account_state import AccountState
from features.accounts.machine import Action, Actor
from features.accounts.model import Account
from features.accounts.service import AccountService
from features.auth import store
from features.auth.errors import AccountSuspended
from features.auth.model import AuditKind
from features.auth.password_check import PasswordCheck
from features.identity import Identity

OPERATOR = "Operator"
"""What audit entries have instead of a device."""


@dataclass(frozen=True, slots=True)
class AccountLifeService:
    """The accounts of one brand. Whatever makes an account inactive also ends all its sessions."""

    accounts: AccountService
    passwords: PasswordCheck

    async def deactivate(self, uow: UnitOfWork, identity: Identity, password: str, device: str, now: datetime) -> None:
        """Deactivates the caller's account: nobody sees it until its owner logs in again. Raises WrongPassword,
        LockedOut."""
        await self.passwords.require(uow, identity, password, device, now)
        await self.accounts.change(uow, identity.account_id, Action.DEACTIVATE, Actor.OWNER, now)
        kind = AuditKind.DEACTIVATED
        await store.insert_audit(uow, identity.account_id, kind, identity.session_id, device, now)

    async def request_deletion(
        self, uow: UnitOfWork, identity: Identity, password: str, device: str, now: datetime
    ) -> datetime:
        """Has the caller's account deleted after a grace period, in which a log-in takes that back. Returns its end.
        Raises WrongPassword, LockedOut."""
        await self.passwords.require(uow, identity, password, device, now)
        life = await self.accounts.change(uow, identity.account_id, Action.REQUEST_DELETION, Actor.OWNER, now)
        kind = AuditKind.DELETION_REQUESTED
        await store.insert_audit(uow, identity.account_id, kind, identity.session_id, device, now)
        assert life.deletes_at is not None
        return life.deletes_at

    async def reactivate(self, uow: UnitOfWork, account: Account, device: str, now: datetime) -> None:
        """Makes an account active whose owner has logged in. Raises AccountSuspended, WrongAccountState if
        it changes at the same time."""
        if account.life.state is AccountState.ACTIVE:
            return
        if account.life.state is AccountState.SUSPENDED:
            raise AccountSuspended
        await self.accounts.change(uow, account.id, Action.LOG_IN, Actor.OWNER, now)
        await store.insert_audit(uow, account.id, AuditKind.REACTIVATED, None, device, now)

    async def suspend(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> None:
        """Suspends an account for an operator: nobody sees it, and its owner cannot log in. Raises NoSuchAccount,
        WrongAccountState if it is suspended or deleted already."""
        await self.accounts.change(uow, account_id, Action.SUSPEND, Actor.OPERATOR, now)
        await store.insert_audit(uow, account_id, AuditKind.SUSPENDED, None, OPERATOR, now)

    async def end_suspension(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> AccountState:
        """Ends a suspension for an operator. Returns the account's state, which is what it was before. Raises
        NoSuchAccount, WrongAccountState for an account that is not suspended."""
        life = await self.accounts.change(uow, account_id, Action.END_SUSPENSION, Actor.OPERATOR, now)
        await store.insert_audit(uow, account_id, AuditKind.SUSPENSION_ENDED, None, OPERATOR, now)
        return life.state
