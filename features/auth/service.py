"""The services of authentication: sign-up, log-in, sign-in sessions and the life of accounts."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from cluster.postgres import UnitOfWork
from cluster.redis import Redis
from features.accounts.service import AccountService
from features.auth import store
from features.auth.access_tokens import AccessTokens
from features.auth.account_life import AccountLifeService
from features.auth.device_tokens import DeviceTokens
from features.auth.keys import SigningKeys
from features.auth.liveness import SessionLiveness
from features.auth.log_in import LogInService
from features.auth.model import AuditEntry
from features.auth.password_check import PasswordCheck
from features.auth.passwords import PasswordHashing
from features.auth.policy import AuthPolicy
from features.auth.sessions import SessionService
from features.auth.sign_up import SignUpService
from features.paging import Page, PageRequest, page_of
from features.profiles.service import ProfileService


@dataclass(frozen=True, slots=True)
class AuthService:
    """Authentication of one brand. Build it with `create`."""

    sign_ups: SignUpService
    log_ins: LogInService
    sessions: SessionService
    account_life: AccountLifeService

    @classmethod
    def create(
        cls,
        *,
        policy: AuthPolicy,
        accounts: AccountService,
        profiles: ProfileService,
        keys: SigningKeys,
        redis: Redis,
        brand: str,
        title: str,
        issuer: str,
        secret: bytes,
    ) -> Self:
        """Builds the services. `brand` is the audience of tokens and the prefix of Redis keys, `title` the product's
        name in mails, `issuer` the ``iss`` of tokens; `secret` (settings.cluster_secret) keys hashes of codes and
        identifiers."""
        lifetime = policy.access_token_lifetime
        access_tokens = AccessTokens(keys, issuer=issuer, audience=brand, lifetime=lifetime)
        hashing = PasswordHashing(policy)
        sessions = SessionService(policy, access_tokens, SessionLiveness(redis, brand, lifetime))
        account_life = AccountLifeService(accounts, PasswordCheck(policy, accounts, hashing, secret))
        device_tokens = DeviceTokens(secret, policy.device_token_lifetime)
        return cls(
            SignUpService(policy, accounts, profiles, hashing, sessions, device_tokens, title, secret),
            LogInService(policy, accounts, profiles, hashing, sessions, account_life, device_tokens, secret),
            sessions,
            account_life,
        )

    async def audit(self, uow: UnitOfWork, account_id: UUID, page: PageRequest) -> Page[AuditEntry]:
        """Returns the account's audit log, newest first."""
        rows = await store.list_audit(uow, account_id, page)
        return page_of(rows, page.limit, AuditEntry.cursor)
