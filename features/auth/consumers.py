"""Reactions to events: mail confirmation codes, and make sure that Redis knows which sessions ended."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from cluster.consumers import Consumer
from cluster.event_log import Event
from cluster.logs import logger
from cluster.mail import Mailer, RecipientRefused
from cluster.postgres import UnitOfWork
from features.auth.service import CONFIRMATION_REQUESTED, SESSIONS_ENDED, AuthService

log = logger(__name__)


def consumers(service: AuthService, mailer: Mailer, now: Callable[[], datetime]) -> list[Consumer]:
    """The consumers of this slice; `now` is the platform's clock, from which codes expire."""

    async def mail_code(uow: UnitOfWork, event: Event) -> None:
        # The code is born here, so that neither the outbox nor the event log ever holds one. A mail that fails rolls
        # the code back; a mail that was sent just before a crash holds a code that the next one replaces.
        mail = await service.new_code(uow, UUID(event.payload["sign_up_id"]), now())
        if mail is None:
            return
        try:
            await mailer.send(mail)
        except RecipientRefused:
            log.info("mail refused", sign_up_id=event.payload["sign_up_id"])

    async def mark_ended(_: UnitOfWork, event: Event) -> None:
        await service.liveness.mark_ended([UUID(id) for id in event.payload["session_ids"]])

    # Both give up only when it no longer matters: a code nobody asks for any more, a mark that would have expired.
    return [
        Consumer("auth.mail", frozenset({CONFIRMATION_REQUESTED}), mail_code, max_attempts=120, retry_after_s=5.0),
        Consumer("auth.sessions", frozenset({SESSIONS_ENDED}), mark_ended, max_attempts=200),
    ]
