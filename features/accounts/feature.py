"""What this slice declares."""

from collections.abc import Sequence
from functools import partial

from cluster.events.consumer import Consumer
from cluster.mail import open_mailer
from cluster.tables import Table
from features.accounts.consumers import consumers
from features.accounts.events import EVENTS
from features.accounts.policy import AccountPolicy
from features.accounts.service import AccountService
from features.feature import Feature, Scope
from features.life_cycle import announce_state


def _service(scope: Scope) -> AccountService:
    return AccountService(scope.policy(AccountPolicy), partial(announce_state, scope))


def _consumers(scope: Scope) -> Sequence[Consumer]:
    return consumers(scope.service(AccountService), open_mailer(scope.settings), scope.title)


ACCOUNTS = Feature(
    name="accounts",
    policy=AccountPolicy,
    service=_service,
    consumers=_consumers,
    events=EVENTS,
    tables=(Table("accounts", "id", "until it is erased", subjects=("id",), secrets=("password_hash",)),),
)
