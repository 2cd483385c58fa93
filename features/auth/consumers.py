"""Consumers that mail confirmation codes and mark ended sessions in Redis."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from cluster.consumers import Consumer
from cluster.event_log import Event
from cluster.logs import logger
from cluster.mail import Mailer, RecipientRefused
from cluster.postgres import UnitOfWork
from features.auth.service import AuthService
from features.auth.sessions import SESSIONS_ENDED
from features.auth.sign_up import CONFIRMATION_REQUESTED

log = logger(__name__)


def consumers(service: AuthService, mailer: Mailer, now: Callable[[], datetime]) -> list[Consumer]:
    """Returns the consumers of this slice. `now` is the clock by which codes expire."""

    async def mail_code(uow: UnitOfWork, event: Event) -> None:
        # The code is created here, so that neither the outbox nor the event log ever holds one. If the mail fails, the
        # code is rolled back; a code mailed just before a crash is replaced by the next one.
        mail = await service.sign_ups.new_code(uow, UUID(event.payload["sign_up_id"]), now())
        if mail is None:
            return
        try:
            await mailer.send(mail)
        except RecipientRefused:
            log.info("mail refused", sign_up_id=event.payload["sign_up_id"])

    async def mark_ended(_: UnitOfWork, event: Event) -> None:
        await service.sessions.liveness.mark_ended([UUID(id) for id in event.payload["session_ids"]])

    # Both give up only when it no longer matters: a code nobody asks for any more, a mark that would have expired.
    return [
        Consumer("auth.mail", frozenset({CONFIRMATION_REQUESTED}), mail_code, max_attempts=120, retry_after_s=5.0),
        Consumer("auth.sessions", frozenset({SESSIONS_ENDED}), mark_ended, max_attempts=200),
    ]
