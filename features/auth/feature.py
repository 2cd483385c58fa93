"""What this slice declares."""

from cluster.tables import PartOf, Table
from features.accounts.feature import ACCOUNTS
from features.feature import Feature
from features.profiles.feature import PROFILES

AUTH = Feature(
    name="auth",
    needs=(ACCOUNTS, PROFILES),
    tables=(
        Table("auth_sign_ups", "id", "a day (AuthPolicy.sign_up_lifetime); later sign-ups delete them"),
        Table("auth_log_in_failures", "subject", "some hours; later failures delete them"),
        Table("auth_sessions", "account_id", "30 days after their end (AuthPolicy)", subjects=("account_id",)),
        Table(
            "auth_refresh_tokens",
            "session_id",
            "until they expire",
            part_of=PartOf("auth_sessions", "session_id"),
            secrets=("hash", "successor"),
        ),
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
