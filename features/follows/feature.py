"""What this slice declares."""

from cluster.tables import Table
from features.feature import Feature
from features.profiles.feature import PROFILES
from features.relationships.feature import RELATIONSHIPS

FOLLOWS = Feature(
    name="follows",
    needs=(PROFILES, RELATIONSHIPS),
    tables=(Table("follow_days", "account_id", "the latest day of each account", subjects=("account_id",)),),
)
