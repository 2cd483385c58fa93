"""Sign-in sessions: one per device, with a family of refresh tokens (docs/decisions/session-revocation.md)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from cluster.redis import RedisError
from features.accounts.errors import WrongAccountState
from features.auth import secrets, session_store, store
from features.auth.access_tokens import AccessTokens
from features.auth.errors import BadRefreshToken, LogInAgain, RefreshTokenReused, SessionEnded, UnknownSession
from features.auth.events import SessionsEnded
from features.auth.liveness import ENDED, LIVE, SessionLiveness
from features.auth.model import AuditKind, Session, Tokens
from features.auth.policy import AuthPolicy
from features.events import publish
from features.identity import Identity
from features.paging import Page, PageRequest, page_of


@dataclass(frozen=True, slots=True)
class SessionService:
    """The sign-in sessions of one brand."""

    policy: AuthPolicy
    access_tokens: AccessTokens
    liveness: SessionLiveness

    async def start(self, uow: UnitOfWork, account_id: UUID, kind: AuditKind, device: str, now: datetime) -> Tokens:
        """Starts a session and records it in the audit log as `kind`; ends those that exceed the policy's number, since
        all of them are one event when they end together. Raises WrongAccountState if
        the account is not active."""
        session_id = new_id(now)
        await session_store.sweep_sessions(uow, account_id, now, now - self.policy.refresh_token_lifetime)
        expires_at = now + self.policy.refresh_token_lifetime
        if not await session_store.insert_session(uow, session_id, account_id, device, now, expires_at):
            raise WrongAccountState("The account has just been deactivated or suspended; try again.")
        await store.insert_audit(uow, account_id, kind, session_id, device, now)
        keep = self.policy.max_sessions - 1
        if unused := await session_store.end_unused_sessions(uow, account_id, session_id, keep, now):
            await self._record_end(uow, AuditKind.SESSION_REVOKED, account_id, unused, device, now)
        return await self._issue(uow, Identity(account_id, session_id), now)

    async def refresh(self, uow: UnitOfWork, refresh_token: str, device: str, now: datetime) -> Tokens:
        """Exchanges a refresh token for new tokens. A used one ends its session, unless it is the retry of a lost
        response. Raises BadRefreshToken, RefreshTokenReused."""
        token_hash = secrets.hash_refresh_token(refresh_token)
        session = await session_store.lock_session_of_token(uow, token_hash)
        token = await session_store.find_token(uow, token_hash)
        if session is None or token is None or not session.is_live(now):
            raise BadRefreshToken
        if token.used_at is not None and not token.may_be_retried(now, self.policy.refresh_retry_grace):
            await session_store.end_session(uow, session.id, session.account_id, now)
            await store.insert_audit(uow, session.account_id, AuditKind.REFRESH_TOKEN_REUSED, session.id, device, now)
            await self._publish_end(uow, session.account_id, [session.id], now)
            raise RefreshTokenReused
        if token.successor is not None:
            # Whoever has the response that seemed lost must not be able to use it: mark its token as used.
            await session_store.spend_token(uow, token.successor, now, None)
        identity = Identity(session.account_id, session.id)
        tokens = await self._issue(uow, identity, now)
        successor = secrets.hash_refresh_token(tokens.refresh_token)
        await session_store.spend_token(uow, token_hash, now, successor)
        await session_store.touch_session(uow, session.id, now, tokens.refresh_token_expires_at)
        await session_store.sweep_tokens(uow, session.id, now)
        return tokens

    async def family_of(self, uow: UnitOfWork, refresh_token: str) -> UUID | None:
        """Returns the session whose refresh token this is or was, None for an unknown one."""
        return await session_store.session_of_token(uow, secrets.hash_refresh_token(refresh_token))

    def verify_access_token(self, token: str, now: datetime) -> Identity:
        """Returns the holder of an access token. Raises BadToken, TokenExpired. Call `require_live` afterwards."""
        return self.access_tokens.verify(token, now)

    def key_set(self) -> dict[str, Any]:
        """Returns the JSON Web Key Set that verifies access tokens."""
        return self.access_tokens.published()

    def liveness_key(self, session_id: UUID) -> str:
        """Returns the Redis key whose value `require_live` takes."""
        return self.liveness.key(session_id)

    async def require_live(self, uow: UnitOfWork, identity: Identity, cached: bytes | None, now: datetime) -> None:
        """Raises SessionEnded unless the session is live. `cached` is the value of its Redis key; if
        that is neither live nor ended, Postgres decides."""
        if cached == LIVE:
            return
        if cached == ENDED or not await session_store.is_live(uow, identity.session_id, identity.account_id, now):
            raise SessionEnded
        if cached is None:
            await self.liveness.remember_live(identity.session_id)

    async def require_recent(self, uow: UnitOfWork, identity: Identity, now: datetime) -> None:
        """Raises LogInAgain unless the caller's session has just begun."""
        begun = await session_store.begun_at(uow, identity.session_id, identity.account_id)
        if begun is None or begun + self.policy.recent_log_in <= now:
            raise LogInAgain

    async def list(self, uow: UnitOfWork, account_id: UUID, page: PageRequest, now: datetime) -> Page[Session]:
        """Returns the account's live sessions, newest first."""
        rows = await session_store.list_sessions(uow, account_id, now, page)
        return page_of(rows, page.limit, Session.cursor)

    async def log_out(self, uow: UnitOfWork, identity: Identity, device: str, now: datetime) -> None:
        """Ends the caller's session."""
        await session_store.end_session(uow, identity.session_id, identity.account_id, now)
        await self._record_end(uow, AuditKind.LOGGED_OUT, identity.account_id, [identity.session_id], device, now)

    async def revoke(self, uow: UnitOfWork, identity: Identity, session_id: UUID, device: str, now: datetime) -> None:
        """Ends one session of the caller. Raises UnknownSession."""
        if not await session_store.end_session(uow, session_id, identity.account_id, now):
            raise UnknownSession
        await self._record_end(uow, AuditKind.SESSION_REVOKED, identity.account_id, [session_id], device, now)

    async def revoke_others(self, uow: UnitOfWork, identity: Identity, device: str, now: datetime) -> int:
        """Ends all other sessions of the caller. Returns how many."""
        ended = await session_store.end_other_sessions(uow, identity.account_id, identity.session_id, now)
        if ended:
            await self._record_end(uow, AuditKind.SESSION_REVOKED, identity.account_id, ended, device, now)
        return len(ended)

    async def end_all(self, uow: UnitOfWork, account_id: UUID, now: datetime) -> None:
        """Ends all sessions of an account. What ended them is what the audit log records."""
        if ended := await session_store.end_other_sessions(uow, account_id, None, now):
            await self._publish_end(uow, account_id, ended, now)

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
        await self._publish_end(uow, account_id, session_ids, now)

    async def _publish_end(self, uow: UnitOfWork, account_id: UUID, session_ids: Sequence[UUID], now: datetime) -> None:
        """Marks sessions as ended for every replica: in Redis, and by an event in case Redis is down. Call it after the
        rows were written and before the commit."""
        publish(uow, SessionsEnded(account_id, tuple(session_ids)), now)
        await self.liveness.announce_end(session_ids)

        async def mark() -> None:
            with suppress(RedisError):  # the consumer of the event repeats it
                await self.liveness.mark_ended(session_ids)

        uow.after_commit(mark)
