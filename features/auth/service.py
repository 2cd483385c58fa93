"""Decisions about accounts and device sessions."""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from cluster.event_log import Event
from cluster.ids import new_id
from cluster.mail import Mail
from cluster.postgres import UnitOfWork
from cluster.redis import Redis, RedisError
from features.auth import emails, secrets, session_store, store
from features.auth.access_tokens import AccessTokens
from features.auth.errors import RefreshTokenReused, WrongCode, WrongCredentials
from features.auth.keys import SigningKeys
from features.auth.liveness import ENDED, LIVE, SessionLiveness
from features.auth.model import Account, AuditEntry, AuditKind, Session, SignUp, Tokens
from features.auth.passwords import Hasher, PasswordHashing, check_password
from features.auth.policy import AuthPolicy
from features.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound, Unauthenticated
from features.identity import Identity
from features.paging import Page, PageRequest, page_of
from features.profiles.model import canonical_username
from features.profiles.service import ProfileService
from features.text import clean_line

CONFIRMATION_REQUESTED = "auth.confirmation_requested"
SESSIONS_ENDED = "auth.sessions_ended"
SIGNED_UP = "auth.signed_up"


@dataclass(frozen=True, slots=True)
class AuthService:
    """Build it with `create`."""

    policy: AuthPolicy
    profiles: ProfileService
    access_tokens: AccessTokens
    liveness: SessionLiveness
    hashing: PasswordHashing
    title: str
    secret: bytes

    @classmethod
    def create(
        cls,
        *,
        policy: AuthPolicy,
        profiles: ProfileService,
        keys: SigningKeys,
        redis: Redis,
        brand: str,
        title: str,
        issuer: str,
        secret: bytes,
    ) -> Self:
        """`brand` is the audience of tokens and the prefix of Redis keys, `title` is how mails call the product,
        `issuer` is the ``iss`` of tokens, `secret` (settings.cluster_secret) keys the hashes of codes."""
        lifetime = policy.access_token_lifetime
        return cls(
            policy,
            profiles,
            AccessTokens(keys, issuer=issuer, audience=brand, lifetime=lifetime),
            SessionLiveness(redis, brand, lifetime),
            PasswordHashing(policy),
            title,
            secret,
        )

    # Sign-up

    async def sign_up(
        self, uow: UnitOfWork, *, email: str, username: str, name: str, password: str, now: datetime
    ) -> UUID:
        """Note a claim to an address and have a code mailed to it; returns the sign-up's id. Does and answers the same
        whether the address has an account or not. Raises Invalid naming the field, Conflict(username_taken)."""
        email = emails.normalise_email(email)
        username = canonical_username(username, reserved=self.profiles.policy.reserved_usernames)
        name = clean_line(name, field="name", max_characters=self.profiles.policy.max_name_characters)
        check_password(password, self.policy, username, email, email.partition("@")[0])
        async with self.hashing.slot() as hasher:
            password_hash = await hasher.hash(password)
        with suppress(NotFound):
            await self.profiles.resolve(uow, None, username)
            raise Conflict("username_taken", "This username is taken.", field="username")
        oldest = now - self.policy.sign_up_lifetime
        if await store.count_sign_ups(uow, email, oldest) >= self.policy.sign_ups_per_email:
            raise LimitReached(
                "too_many_sign_ups", "This address has been used for too many sign-ups today.", field="email"
            )
        sign_up_id = new_id(now)
        await store.insert_sign_up(uow, sign_up_id, email, username, name, password_hash, now)
        await store.sweep_sign_ups(uow, oldest)
        self._request_code(uow, sign_up_id, now)
        return sign_up_id

    async def resend(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> None:
        """Have another code mailed. Raises NotFound, LimitReached."""
        sign_up = await self._lock_sign_up(uow, sign_up_id, now)
        if sign_up.codes >= self.policy.codes_per_sign_up:
            raise LimitReached("too_many_codes", "No more codes for this sign-up; sign up again.")
        wait = sign_up.requested_at + self.policy.code_resend_after - now
        if wait.total_seconds() > 0:
            raise LimitReached(
                "code_just_sent", "A code was sent just now.", retry_after_s=int(wait.total_seconds()) + 1
            )
        await store.note_code_request(uow, sign_up_id, now)
        self._request_code(uow, sign_up_id, now)

    async def new_code(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> Mail | None:
        """Make the code of a sign-up and the mail that brings it. The owner of an address that has an account is told
        so instead, yet a code is made all the same, so that `confirm` cannot tell the two apart."""
        sign_up = await store.lock_sign_up(uow, sign_up_id, now - self.policy.sign_up_lifetime)
        if sign_up is None:
            return None
        code = secrets.new_code()
        code_hash = secrets.hash_code(self.secret, sign_up_id, code)
        await store.set_code(uow, sign_up_id, code_hash, now + self.policy.code_lifetime)
        if await store.email_has_account(uow, sign_up.email):
            return emails.already_registered_mail(sign_up.email, self.title)
        return emails.confirmation_mail(sign_up.email, self.title, sign_up.username, code, self.policy.code_lifetime)

    async def confirm(self, uow: UnitOfWork, sign_up_id: UUID, code: str, device: str, now: datetime) -> Tokens:
        """Make the account and its first session. Raises NotFound, WrongCode, Invalid(code_expired), LimitReached,
        Conflict(email_registered, username_taken)."""
        sign_up = await self._lock_sign_up(uow, sign_up_id, now)
        if sign_up.attempts >= self.policy.code_attempts:
            raise LimitReached("too_many_attempts", "Too many wrong codes; ask for a new one.", field="code")
        if sign_up.code_expires_at is not None and sign_up.code_expires_at <= now:
            raise Invalid("code_expired", "This code has expired; ask for a new one.", field="code")
        expected = secrets.hash_code(self.secret, sign_up_id, code)
        if sign_up.code_hash is None or not hmac.compare_digest(expected, sign_up.code_hash):
            await store.note_wrong_code(uow, sign_up_id)
            raise WrongCode
        account_id = new_id(now)
        if not await store.insert_account(uow, account_id, sign_up.email, sign_up.password_hash, now):
            raise Conflict("email_registered", "This address has an account; log in.", field="email")
        await self.profiles.create(uow, account_id, sign_up.username, sign_up.name, now)
        await store.delete_sign_up(uow, sign_up_id)  # others with this address end at the unique index above
        uow.publish(Event.now(SIGNED_UP, account_id, {"account_id": str(account_id)}, now=now))
        return await self._start_session(uow, account_id, AuditKind.SIGNED_UP, device, now)

    async def _lock_sign_up(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> SignUp:
        sign_up = await store.lock_sign_up(uow, sign_up_id, now - self.policy.sign_up_lifetime)
        if sign_up is None:
            raise NotFound("unknown_sign_up", "There is no such sign-up; sign up again.", field="sign_up_id")
        return sign_up

    def _request_code(self, uow: UnitOfWork, sign_up_id: UUID, now: datetime) -> None:
        payload = {"sign_up_id": str(sign_up_id)}
        uow.publish(Event.now(CONFIRMATION_REQUESTED, sign_up_id, payload, now=now))

    # Log-in

    async def log_in(self, uow: UnitOfWork, *, identifier: str, password: str, device: str, now: datetime) -> Tokens:
        """A new session for the owner of an e-mail address or username. Raises WrongCredentials,
        LimitReached(locked_out), Forbidden(email_not_confirmed)."""
        identifier = _normalise_identifier(identifier)
        subject = secrets.hash_identifier(self.secret, identifier)
        async with self.hashing.slot() as hasher:
            until = await store.locked_until(uow, subject, now)
            if until is not None:
                wait_s = int((until - now).total_seconds()) + 1
                raise LimitReached("locked_out", "Too many failed log-ins; wait.", retry_after_s=wait_s)
            account = await self._find_account(uow, identifier)
            if not await hasher.verify(account.password_hash if account else None, password):
                await self._refuse(uow, hasher, identifier, subject, account, password, device, now)
            assert account is not None
            if hasher.is_outdated(account.password_hash):
                await store.set_password_hash(uow, account.id, await hasher.hash(password))
        await store.forget_failures(uow, subject)
        return await self._start_session(uow, account.id, AuditKind.LOGGED_IN, device, now)

    async def _find_account(self, uow: UnitOfWork, identifier: str) -> Account | None:
        if "@" in identifier:
            return await store.account_by_email(uow, identifier)
        account_id = None
        with suppress(NotFound):
            account_id = await self.profiles.resolve(uow, None, identifier)
        return await store.account_by_id(uow, account_id)

    async def _refuse(
        self,
        uow: UnitOfWork,
        hasher: Hasher,
        identifier: str,
        subject: bytes,
        account: Account | None,
        password: str,
        device: str,
        now: datetime,
    ) -> None:
        """Count the failure and raise; does the same work whoever the identifier belongs to."""
        if "@" in identifier:
            oldest = now - self.policy.sign_up_lifetime
            waiting = await store.latest_sign_up_hash(uow, identifier, oldest)
            if await hasher.verify(waiting, password):
                raise Forbidden("email_not_confirmed", "Confirm your e-mail address with the code first.")
        locked = await store.count_failure(uow, subject, now, self.policy)
        kind = AuditKind.LOCKED_OUT if locked else AuditKind.LOG_IN_FAILED
        await store.insert_audit(uow, account.id if account else None, kind, None, device, now)
        raise WrongCredentials

    # Tokens

    async def refresh(self, uow: UnitOfWork, refresh_token: str, device: str, now: datetime) -> Tokens:
        """Exchange a refresh token for new tokens. One that was used before ends its session, unless it is the retry
        of a lost answer. Raises Unauthenticated(bad_refresh_token), RefreshTokenReused."""
        token_hash = secrets.hash_refresh_token(refresh_token)
        session = await session_store.lock_session_of_token(uow, token_hash)
        token = await session_store.find_token(uow, token_hash)
        if session is None or token is None or not session.is_live(now):
            raise Unauthenticated("bad_refresh_token", "This refresh token is not valid; log in again.")
        if token.used_at is not None and not token.may_be_retried(now, self.policy.refresh_retry_grace):
            await session_store.end_session(uow, session.id, session.account_id, now)
            await store.insert_audit(uow, session.account_id, AuditKind.REFRESH_TOKEN_REUSED, session.id, device, now)
            await self._announce_end(uow, session.account_id, [session.id], now)
            raise RefreshTokenReused
        if token.successor is not None:
            # Whoever holds the answer that was thought lost must not be able to use it: it now counts as used.
            await session_store.spend_token(uow, token.successor, now, None)
        identity = Identity(session.account_id, session.id)
        tokens = await self._issue(uow, identity, now)
        successor = secrets.hash_refresh_token(tokens.refresh_token)
        await session_store.spend_token(uow, token_hash, now, successor)
        await session_store.touch_session(uow, session.id, now, tokens.refresh_token_expires_at)
        await session_store.sweep_tokens(uow, session.id, now)
        return tokens

    def verify_access_token(self, token: str, now: datetime) -> Identity:
        """Whose token it is. Raises Unauthenticated. `require_live` must follow."""
        return self.access_tokens.verify(token, now)

    def key_set(self) -> dict[str, Any]:
        """The JSON Web Key Set that verifies access tokens."""
        return self.access_tokens.published()

    async def _start_session(
        self, uow: UnitOfWork, account_id: UUID, kind: AuditKind, device: str, now: datetime
    ) -> Tokens:
        session_id = new_id(now)
        await session_store.sweep_sessions(uow, account_id, now, now - self.policy.refresh_token_lifetime)
        expires_at = now + self.policy.refresh_token_lifetime
        await session_store.insert_session(uow, session_id, account_id, device, now, expires_at)
        await store.insert_audit(uow, account_id, kind, session_id, device, now)
        return await self._issue(uow, Identity(account_id, session_id), now)

    async def _issue(self, uow: UnitOfWork, identity: Identity, now: datetime) -> Tokens:
        refresh_token = secrets.new_refresh_token()
        expires_at = now + self.policy.refresh_token_lifetime
        token_hash = secrets.hash_refresh_token(refresh_token)
        await session_store.insert_token(uow, token_hash, identity.session_id, expires_at)
        return Tokens(
            identity.account_id,
            identity.session_id,
            self.access_tokens.issue(identity, now),
            self.policy.access_token_lifetime,
            refresh_token,
            expires_at,
        )

    # Sessions

    def liveness_key(self, session_id: UUID) -> str:
        """The Redis key whose value `require_live` takes."""
        return self.liveness.key(session_id)

    async def require_live(self, uow: UnitOfWork, identity: Identity, cached: bytes | None, now: datetime) -> None:
        """Raise Unauthenticated(session_ended) unless the session lives. `cached` is what Redis holds under the
        session's key; anything but a clear answer there is asked in Postgres."""
        if cached == LIVE:
            return
        if cached == ENDED or not await session_store.is_live(uow, identity.session_id, identity.account_id, now):
            raise Unauthenticated("session_ended", "This session has been ended; log in again.")
        if cached is None:
            await self.liveness.remember_live(identity.session_id)

    async def sessions(self, uow: UnitOfWork, account_id: UUID, page: PageRequest, now: datetime) -> Page[Session]:
        """The account's live sessions, newest first."""
        rows = await session_store.list_sessions(uow, account_id, now, page)
        return page_of(rows, page.limit, Session.cursor)

    async def log_out(self, uow: UnitOfWork, identity: Identity, device: str, now: datetime) -> None:
        """End the caller's own session."""
        await session_store.end_session(uow, identity.session_id, identity.account_id, now)
        await self._record_end(uow, AuditKind.LOGGED_OUT, identity.account_id, [identity.session_id], device, now)

    async def revoke(self, uow: UnitOfWork, identity: Identity, session_id: UUID, device: str, now: datetime) -> None:
        """End one session of the caller. Raises NotFound."""
        if not await session_store.end_session(uow, session_id, identity.account_id, now):
            raise NotFound("unknown_session", "You have no such session.")
        await self._record_end(uow, AuditKind.SESSION_REVOKED, identity.account_id, [session_id], device, now)

    async def revoke_others(self, uow: UnitOfWork, identity: Identity, device: str, now: datetime) -> int:
        """End all sessions of the caller but the one that asks; returns how many."""
        ended = await session_store.end_other_sessions(uow, identity.account_id, identity.session_id, now)
        if ended:
            await self._record_end(uow, AuditKind.SESSION_REVOKED, identity.account_id, ended, device, now)
        return len(ended)

    async def _record_end(
        self,
        uow: UnitOfWork,
        kind: AuditKind,
        account_id: UUID,
        session_ids: Sequence[UUID],
        device: str,
        now: datetime,
    ) -> None:
        await store.insert_audits(uow, account_id, kind, session_ids, device, now)
        await self._announce_end(uow, account_id, session_ids, now)

    async def _announce_end(
        self, uow: UnitOfWork, account_id: UUID, session_ids: Sequence[UUID], now: datetime
    ) -> None:
        """Tell every replica: Redis at once, and an event for those that missed it. Call after the sessions' rows were
        written, before the commit."""
        payload = {"account_id": str(account_id), "session_ids": [str(id) for id in session_ids]}
        uow.publish(Event.now(SESSIONS_ENDED, account_id, payload, now=now))
        await self.liveness.announce_end(session_ids)

        async def mark() -> None:
            with suppress(RedisError):  # the consumer of the event repeats it
                await self.liveness.mark_ended(session_ids)

        uow.after_commit(mark)

    # Audit

    async def audit(self, uow: UnitOfWork, account_id: UUID, page: PageRequest) -> Page[AuditEntry]:
        """What happened around the account, newest first."""
        rows = await store.list_audit(uow, account_id, page)
        return page_of(rows, page.limit, AuditEntry.cursor)


def _normalise_identifier(text: str) -> str:
    """One spelling per account, so that failures add up however it is typed. An impossible e-mail address stays as it
    is and finds nobody."""
    if "@" in text:
        with suppress(Invalid):
            text = emails.normalise_email(text.strip())
    return text.strip().lower()
