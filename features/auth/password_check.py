"""The password once more, from a caller who is signed in already: before what cannot easily be undone."""

from dataclasses import dataclass
from datetime import datetime

from cluster.postgres import UnitOfWork
from features.accounts.service import AccountService
from features.auth import secrets, store
from features.auth.errors import WrongPassword
from features.auth.model import AuditKind
from features.auth.passwords import PasswordHashing
from features.auth.policy import AuthPolicy
from features.identity import Identity


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Checks of one brand. `secret` keys the hashes under which failures are counted: those of an account's log-ins are
    counted apart, so that nobody else can keep its owner from this."""

    policy: AuthPolicy
    accounts: AccountService
    hashing: PasswordHashing
    secret: bytes

    async def require(self, uow: UnitOfWork, identity: Identity, password: str, device: str, now: datetime) -> None:
        """Raises WrongPassword unless it is the password of the caller's account, LockedOut after too
        many wrong ones. The attempt is counted and committed before the password is hashed, as at log-in."""
        subject = secrets.hash_subject(self.secret, "account", str(identity.account_id))
        async with self.hashing.slot() as hasher:
            attempt = await store.count_attempt(uow, subject, now, self.policy, self.policy.log_in_failures)
            await uow.commit()
            attempt.require_allowed(now)
            account = await self.accounts.get(uow, identity.account_id)
            await uow.commit()  # hashing holds no database connection
            if account is None or not await hasher.verify(account.password_hash, password):
                kind = AuditKind.PASSWORD_REFUSED
                await store.insert_audit(uow, identity.account_id, kind, identity.session_id, device, now)
                raise WrongPassword
        await store.forget_failures(uow, subject)
