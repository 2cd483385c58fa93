"""What this slice declares."""

from cluster.tables import Table
from features.feature import Feature

ACCOUNTS = Feature(
    name="accounts",
    tables=(Table("accounts", "id", "until it is erased", subjects=("id",), secrets=("password_hash",)),),
)
