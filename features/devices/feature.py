"""What this slice declares. What its tables say about people is in docs/security/metadata.md."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.auth.feature import AUTH
from features.auth.service import AuthService
from features.devices.events import EVENTS
from features.devices.policy import DevicePolicy
from features.devices.service import DeviceService
from features.feature import Feature, Scope


def _service(scope: Scope) -> DeviceService:
    return DeviceService(scope.policy(DevicePolicy), scope.service(AuthService))


DEVICES = Feature(
    name="devices",
    needs=(ACCOUNTS, AUTH),
    policy=DevicePolicy,
    service=_service,
    events=EVENTS,
    tables=(
        Table("device_rosters", "account_id", "as long as the account", subjects=("account_id",)),
        Table("devices", "account_id", "until they are removed", subjects=("account_id",)),
        Table("device_key_versions", "account_id", "as long as the account", subjects=("account_id",)),
    ),
)
