"""Consumers that mail confirmation codes and mark ended sessions in Redis."""

from collections.abc import Callable
from datetime import datetime, timedelta

from cluster.events.consumer import Consumer
from cluster.logs import logger
from cluster.mail import Mailer, RecipientRefused
from cluster.postgres import UnitOfWork
from features.auth.events import ConfirmationRequested, SessionsEnded
from features.auth.service import AuthService
from features.events import consumer

log = logger(__name__)


def consumers(service: AuthService, mailer: Mailer, now: Callable[[], datetime]) -> list[Consumer]:
    """Returns the consumers of this slice. `now` is the clock by which codes expire."""

    async def mail_code(uow: UnitOfWork, event: ConfirmationRequested) -> None:
        # The code is made here, so that neither the outbox nor the event log ever holds one. It is committed before the
        # mail goes out, so that a slow mail server keeps no transaction open; each further attempt replaces it.
        mail = await service.sign_ups.new_code(uow, event.sign_up_id, now())
        await uow.commit()
        if mail is None:
            return
        try:
            await mailer.send(mail)
        except RecipientRefused:
            log.info("mail refused", sign_up_id=event.sign_up_id)

    async def mark_ended(_: UnitOfWork, event: SessionsEnded) -> None:
        await service.sessions.liveness.mark_ended(event.session_ids)

    # Both give up only when it no longer matters: a code nobody asks for any more, a mark that would have expired.
    return [
        consumer(
            "auth.mail",
            (ConfirmationRequested,),
            mail_code,
            outside=True,
            concurrency=16,
            max_attempts=24,
            retry_after=timedelta(seconds=5),
            retry_at_most=timedelta(seconds=30),
        ),
        consumer(
            "auth.sessions",
            (SessionsEnded,),
            mark_ended,
            max_attempts=45,
            retry_at_most=timedelta(seconds=10),
        ),
    ]
