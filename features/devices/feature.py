"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import UUID

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from cluster.tables import Expiry, Table
from features.account_rows import disclose_rows
from features.accounts.feature import ACCOUNTS
from features.auth.feature import AUTH
from features.auth.service import AuthService
from features.devices.bind_limit import BindLimit
from features.devices.claim_limits import ClaimLimits
from features.devices.consumers import consumers
from features.devices.directory.secrets import DirectorySecrets
from features.devices.directory.service import DirectoryService
from features.devices.directory_epochs import run_directory
from features.devices.events import EVENTS
from features.devices.key_package_service import KeyPackageService
from features.devices.link_service import LinkService
from features.devices.policy import DevicePolicy
from features.devices.prekey_service import PreKeyService
from features.devices.service import DeviceService
from features.feature import ExportedRow, Feature, Scope
from features.live_sessions.feature import LIVE_SESSIONS
from features.live_sessions.ports import LIVE_SESSIONS as PORT
from features.relationships.feature import RELATIONSHIPS


def _service(scope: Scope) -> DeviceService:
    policy = scope.policy(DevicePolicy)
    limits = ClaimLimits(scope.redis, scope.brand, policy)
    secret = scope.settings.cluster_secret.get_secret_value().encode()
    return DeviceService(
        policy,
        scope.service(AuthService),
        PreKeyService(policy, limits),
        KeyPackageService(policy, limits),
        DirectoryService(DirectorySecrets.derive(secret, scope.brand), policy.directory_max_age),
        LinkService(policy),
        BindLimit(scope.redis, scope.brand, policy),
    )


def _consumers(scope: Scope) -> Sequence[Consumer]:
    live = scope.ports.get(PORT)
    return consumers(live) if live else ()


_UNTIL_CLAIMED = "until they are handed out, or their device is removed"


async def _disclose(scope: Scope, uow: UnitOfWork, account_id: UUID) -> AsyncIterator[ExportedRow]:
    """Yields the rows that the tables declare, and those of the directory's map, which name nobody."""
    async for row in disclose_rows(uow, DEVICES.tables, account_id):
        yield row
    async for row in scope.service(DeviceService).directory.disclose(uow, account_id):
        yield row


_OF_ACCOUNT = "account_id = $1"
_SHOWN_IN = "(select shown_in from device_key_versions where account_id = $1)"
"""The epochs that show the account's keys first."""

DEVICES = Feature(
    name="devices",
    needs=(ACCOUNTS, AUTH, RELATIONSHIPS, LIVE_SESSIONS),
    policy=DevicePolicy,
    service=_service,
    consumers=_consumers,
    background=run_directory,
    events=EVENTS,
    tables=(
        Table(
            "device_rosters", "account_id", "as long as the account", subjects=("account_id",), disclosed=_OF_ACCOUNT
        ),
        Table("devices", "account_id", "until they are removed", subjects=("account_id",), disclosed=_OF_ACCOUNT),
        Table(
            "device_key_versions",
            "account_id",
            "as long as the account",
            subjects=("account_id",),
            disclosed=_OF_ACCOUNT,
        ),
        Table(
            "device_links",
            "account_id",
            "until they expire",
            Expiry("expires_at", timedelta()),
            subjects=("account_id",),
            secrets=("sealed_box",),
            disclosed=_OF_ACCOUNT,
        ),
        Table(
            "device_prekeys",
            "account_id",
            "until their device is removed",
            subjects=("account_id",),
            disclosed=_OF_ACCOUNT,
        ),
        Table("device_one_time_prekeys", "account_id", _UNTIL_CLAIMED, subjects=("account_id",), disclosed=_OF_ACCOUNT),
        Table(
            "device_key_packages",
            "account_id",
            "until they are handed out or expire, or their device is removed",
            Expiry("expires_at", timedelta()),
            subjects=("account_id",),
            disclosed=_OF_ACCOUNT,
        ),
        # Append-only; they name nobody (docs/security/metadata.md).
        Table("key_directory_epochs", "number", "for good", disclosed=f"number in {_SHOWN_IN}"),
        Table("key_directory_log", "position", "for good", disclosed=f"level = 0 and position in {_SHOWN_IN}"),
        Table("key_directory_map", "prefix", "for good"),
    ),
    disclose=_disclose,
)
