"""Log-in with a password, and the lock-out after repeated failures (docs/decisions/passwords.md)."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from cluster.postgres import UnitOfWork
from features.accounts.model import Account
from features.accounts.service import AccountService
from features.auth import emails, secrets, store
from features.auth.account_life import AccountLifeService
from features.auth.device_tokens import DeviceTokens
from features.auth.errors import BadEmail, EmailNotConfirmed, WrongCredentials
from features.auth.model import AuditKind, LoggedIn, LogInAttempt
from features.auth.passwords import Hasher, PasswordHashing
from features.auth.policy import AuthPolicy
from features.auth.sessions import SessionService
from features.profiles.service import ProfileService


@dataclass(frozen=True, slots=True)
class LogInService:
    """Log-ins of one brand. `secret` keys the hashes under which failures are counted."""

    policy: AuthPolicy
    accounts: AccountService
    profiles: ProfileService
    hashing: PasswordHashing
    sessions: SessionService
    account_life: AccountLifeService
    device_tokens: DeviceTokens
    secret: bytes

    async def log_in(
        self,
        uow: UnitOfWork,
        *,
        identifier: str,
        password: str,
        device_token: str | None,
        requester: str,
        device: str,
        now: datetime,
    ) -> LoggedIn:
        """Starts a session of the account with an e-mail address or username; a deactivated account becomes active
        again, and a requested deletion is taken back. `device_token` is from the device's log-in before; `requester` is
        the network address. Raises WrongCredentials, LockedOut, EmailNotConfirmed, AccountSuspended,
        WrongAccountState.

        The attempt is counted and committed before the password is hashed, and a success forgets it: a client that
        cancels the request while it is hashed has been counted."""
        identifier = _normalise_identifier(identifier)
        async with self.hashing.slot() as hasher:
            account = await self._find_account(uow, identifier)
            if account is not None and account.life.is_gone(now):
                account = None
            device_id = self.device_tokens.device_of(device_token, account, now)
            # A known device counts by itself: whatever others guess does not lock it out.
            if device_id is not None:
                source, subject = None, self._subject("device", device_id.hex())
            else:
                source, subject = self._subject("requester", requester), self._subject("identifier", identifier)
            if source is not None:
                limit = self.policy.log_in_failures_per_requester
                from_source = await store.count_attempt(uow, source, now, self.policy, limit)
                await uow.commit()
                from_source.require_allowed(now)
            attempt = await store.count_attempt(uow, subject, now, self.policy, self.policy.log_in_failures)
            await uow.commit()  # hashing holds no database connection
            attempt.require_allowed(now)
            if not await hasher.verify(account.password_hash if account else None, password):
                await self._refuse(uow, hasher, identifier, account, attempt, password, device, now)
            assert account is not None
            if hasher.is_outdated(account.password_hash):
                account = replace(account, password_hash=await hasher.hash(password))
                await self.accounts.set_password_hash(uow, account.id, account.password_hash)
        if source is not None:
            # Not all of them: a success at an account of one's own must not hide failures at those of others.
            await store.take_back_attempt(uow, source, self.policy.log_in_failures_per_requester)
        await store.forget_failures(uow, subject)
        await self.account_life.reactivate(uow, account, device, now)
        tokens = await self.sessions.start(uow, account.id, AuditKind.LOGGED_IN, device, now)
        return LoggedIn(tokens, self.device_tokens.issue(account.id, account.password_hash, device_id, now))

    def _subject(self, kind: secrets.SubjectKind, value: str) -> bytes:
        return secrets.hash_subject(self.secret, kind, value)

    async def _find_account(self, uow: UnitOfWork, identifier: str) -> Account | None:
        if "@" in identifier:
            return await self.accounts.with_email(uow, identifier)
        return await self.accounts.get(uow, await self.profiles.holder(uow, identifier))

    async def _refuse(
        self,
        uow: UnitOfWork,
        hasher: Hasher,
        identifier: str,
        account: Account | None,
        attempt: LogInAttempt,
        password: str,
        device: str,
        now: datetime,
    ) -> None:
        """Records the failure and raises. Does the same work whether the account exists or not."""
        if "@" in identifier:
            oldest = now - self.policy.sign_up_lifetime
            waiting = await store.latest_sign_up_hash(uow, identifier, oldest)
            if await hasher.verify(waiting, password):
                raise EmailNotConfirmed
        kind = AuditKind.LOG_IN_FAILED if attempt.locked_until is None else AuditKind.LOCKED_OUT
        await store.insert_audit(uow, account.id if account else None, kind, None, device, now)
        raise WrongCredentials


def _normalise_identifier(text: str) -> str:
    """Returns one spelling per account, so that failures add up. An invalid e-mail address is kept and matches
    nobody."""
    if "@" in text:
        with suppress(BadEmail):
            text = emails.normalise_email(text.strip())
    return text.strip().lower()
