"""What this slice declares."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature
from features.realtime.feature import REALTIME
from features.relationships.feature import RELATIONSHIPS

LIVE_SESSIONS = Feature(
    name="live_sessions",
    needs=(ACCOUNTS, RELATIONSHIPS, REALTIME),
    tables=(Table("presence_settings", "account_id", "as long as the account", subjects=("account_id",)),),
)
