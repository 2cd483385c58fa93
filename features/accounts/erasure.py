"""Erases the accounts whose grace period is over.

The state in Postgres is what makes this durable: an account is found until its last row, the account itself, is gone,
whichever process began to erase it.
"""

import asyncio
from functools import partial
from uuid import UUID

from cluster.cancellation import raise_if_cancelled
from cluster.logs import logger
from cluster.mail import MAIL_ERRORS, open_mailer
from cluster.metrics import Counter, Gauge
from cluster.storage_errors import DATABASE_ERRORS
from features.accounts.emails import erased_mail
from features.accounts.errors import NoSuchAccount, WrongAccountState
from features.accounts.machine import Action, Actor
from features.accounts.service import AccountService
from features.feature import Scope
from features.life_cycle import ERASED_AT_ONCE, erase_account

ERASED = Counter("entativa_accounts_erased_total", "Accounts erased", ["brand"])
FAILED = Counter("entativa_account_erasure_failures_total", "Erasures that failed, to be retried", ["brand"])
UNTOLD = Counter("entativa_account_erasure_mails_failed_total", "Erasures that no mail told the owner of", ["brand"])
DUE = Gauge(
    "entativa_accounts_due_for_erasure",
    "Accounts whose grace period is over and that are not erased yet",
    ["brand"],
    multiprocess_mode="livemostrecent",
)

_PAUSE_S = 60.0
_FOUND_AT_ONCE = 100

log = logger(__name__)


async def erase_due_accounts(scope: Scope, *, limit: int = ERASED_AT_ONCE) -> int:
    """Erases the accounts whose grace period is over, in transactions of about `limit` rows. Returns how many. One that
    fails is left for the next call. Several processes may do this: each account is erased by one at a time."""
    accounts, erased, passed = scope.service(AccountService), 0, set[UUID]()
    while True:
        async with scope.database.unit_of_work(read_only=True) as uow:
            DUE.labels(scope.brand).set(await accounts.count_due_for_erasure(uow, scope.now()))
            due = await accounts.due_for_erasure(uow, scope.now(), without=passed, limit=_FOUND_AT_ONCE)
        if not due:
            return erased
        for account_id in due:
            passed.add(account_id)
            try:
                erased += await _erase(scope, accounts, account_id, limit)
            except DATABASE_ERRORS as error:
                raise_if_cancelled()
                FAILED.labels(scope.brand).inc()
                log.warning("account not erased", account_id=account_id, error=type(error).__name__)
            except Exception as error:  # one account must not keep the others from being erased
                raise_if_cancelled()
                FAILED.labels(scope.brand).inc()
                log.error("account not erased", account_id=account_id, error=type(error).__name__, exc_info=error)


async def _erase(scope: Scope, accounts: AccountService, account_id: UUID, limit: int) -> bool:
    """Erases one account, and tells its owner. Returns False if another process is at it, or its owner has just come
    back."""
    async with scope.database.unit_of_work() as uow:
        contact = await accounts.contact(uow, account_id)
        try:
            await accounts.change(uow, account_id, Action.ERASE, Actor.PLATFORM, scope.now())
        except (NoSuchAccount, WrongAccountState):
            return False
        await uow.commit()
    claim = partial(accounts.claim_for_erasure, account_id=account_id)
    await erase_account(scope.database, scope.features, account_id, scope.now, claim, limit=limit)
    async with scope.database.unit_of_work(read_only=True) as uow:
        if await accounts.get(uow, account_id) is not None:
            return False
    ERASED.labels(scope.brand).inc()
    log.info("account erased", account_id=account_id)
    if contact is not None:
        await _tell(scope, contact.email, account_id)
    return True


async def _tell(scope: Scope, email: str, account_id: UUID) -> None:
    """Mails that the account is erased: once, since nobody knows the address any more if that fails."""
    try:
        await open_mailer(scope.settings).send(erased_mail(email, scope.title))
    except MAIL_ERRORS as error:
        raise_if_cancelled()
        UNTOLD.labels(scope.brand).inc()
        log.warning("owner not told of the erasure", account_id=account_id, error=type(error).__name__)


async def run_erasures(scope: Scope) -> None:
    """Erases accounts every minute until cancelled; survives outages of Postgres."""
    while True:
        try:
            await erase_due_accounts(scope)
        except DATABASE_ERRORS as error:
            raise_if_cancelled()
            log.warning("erasure interrupted", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_S)
