"""What this slice declares."""

from cluster.tables import Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature
from features.relationships.feature import RELATIONSHIPS

PROFILES = Feature(
    name="profiles",
    needs=(ACCOUNTS, RELATIONSHIPS),
    tables=(Table("profiles", "account_id", "as long as the account", subjects=("account_id",)),),
)
