"""What this slice declares."""

from functools import partial

from cluster.tables import Table
from features.accounts.events import EVENTS
from features.accounts.policy import AccountPolicy
from features.accounts.service import AccountService
from features.feature import Feature, Scope
from features.life_cycle import announce_state


def _service(scope: Scope) -> AccountService:
    return AccountService(scope.policy(AccountPolicy), partial(announce_state, scope))


ACCOUNTS = Feature(
    name="accounts",
    policy=AccountPolicy,
    service=_service,
    events=EVENTS,
    tables=(Table("accounts", "id", "until it is erased", subjects=("id",), secrets=("password_hash",)),),
)
