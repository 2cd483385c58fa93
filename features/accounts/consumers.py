"""Mails the owner of an account whose deletion was requested."""

from datetime import timedelta

from cluster.events.consumer import Consumer
from cluster.logs import logger
from cluster.mail import Mailer, RecipientRefused
from cluster.postgres import UnitOfWork
from features.account_state import AccountState
from features.accounts.emails import deletion_mail
from features.accounts.events import AccountStateChanged
from features.accounts.service import AccountService
from features.events import consumer

log = logger(__name__)


def consumers(accounts: AccountService, mailer: Mailer, title: str) -> list[Consumer]:
    """Returns the consumers of this slice."""

    async def mail_owner(uow: UnitOfWork, event: AccountStateChanged) -> None:
        if event.state is not AccountState.DELETING:
            return
        contact = await accounts.contact(uow, event.account_id)
        await uow.commit()  # a slow mail server keeps no transaction open
        if contact is None or contact.life.state is not AccountState.DELETING or contact.life.deletes_at is None:
            return  # the owner was faster
        try:
            await mailer.send(deletion_mail(contact.email, title, contact.life.deletes_at))
        except RecipientRefused:
            log.info("mail refused", account_id=event.account_id)

    return [
        consumer(
            "accounts.mail",
            (AccountStateChanged,),
            mail_owner,
            outside=True,
            max_attempts=24,
            retry_after=timedelta(seconds=5),
        )
    ]
