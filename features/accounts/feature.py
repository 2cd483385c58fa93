"""What this slice declares."""

from cluster.tables import Table
from features.accounts.service import AccountService
from features.feature import Feature

ACCOUNTS = Feature(
    name="accounts",
    service=lambda _scope: AccountService(),
    tables=(Table("accounts", "id", "until it is erased", subjects=("id",), secrets=("password_hash",)),),
)
