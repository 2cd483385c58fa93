"""What this slice declares."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.mail import open_mailer
from cluster.postgres import UnitOfWork
from cluster.tables import Expiry, PartOf, Table
from features.account_state import AccountState
from features.accounts.feature import ACCOUNTS
from features.accounts.service import AccountService
from features.auth.consumers import consumers
from features.auth.events import EVENTS
from features.auth.keys import SigningKeys
from features.auth.policy import AuthPolicy
from features.auth.service import AuthService
from features.feature import Feature, Scope
from features.profiles.feature import PROFILES
from features.profiles.service import ProfileService


def _service(scope: Scope) -> AuthService:
    settings = scope.settings
    return AuthService.create(
        policy=scope.policy(AuthPolicy),
        accounts=scope.service(AccountService),
        profiles=scope.service(ProfileService),
        keys=SigningKeys(settings.keys_directory / scope.brand),
        redis=scope.redis,
        brand=scope.brand,
        title=scope.title,
        issuer=settings.public_urls.get(scope.brand, scope.brand),
        secret=settings.cluster_secret.get_secret_value().encode(),
    )


def _consumers(scope: Scope) -> Sequence[Consumer]:
    return consumers(scope.service(AuthService), open_mailer(scope.settings), scope.now)


async def _on_account_state(
    scope: Scope, uow: UnitOfWork, account_id: UUID, state: AccountState, now: datetime
) -> None:
    if state is not AccountState.ACTIVE:
        await scope.service(AuthService).sessions.end_all(uow, account_id, now)


_EXPIRED = Expiry("expires_at", timedelta())

AUTH = Feature(
    name="auth",
    needs=(ACCOUNTS, PROFILES),
    policy=AuthPolicy,
    service=_service,
    consumers=_consumers,
    on_account_state=_on_account_state,
    events=EVENTS,
    tables=(
        Table("auth_sign_ups", "id", "a day (AuthPolicy.sign_up_lifetime); later sign-ups delete them"),
        Table("auth_log_in_failures", "subject", "some hours; later failures delete them"),
        Table(
            "auth_refresh_tokens",
            "session_id",
            "until they expire",
            _EXPIRED,
            part_of=PartOf("auth_sessions", "session_id"),
            secrets=("hash", "successor"),
        ),
        Table("auth_sessions", "account_id", "30 days after their last use", _EXPIRED, subjects=("account_id",)),
        # Append-only: a trigger lets entries go with their account only.
        Table(
            "auth_audit",
            "account_id",
            "as long as the account",
            part_of=PartOf("accounts", "account_id"),
            subjects=("account_id",),
        ),
    ),
)
