"""Reactions to events: mail confirmation codes, and make sure that Redis knows which sessions ended."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from cluster.consumers import Consumer
from cluster.event_log import Event
from cluster.mail import Mailer
from cluster.postgres import UnitOfWork
from features.auth.service import CONFIRMATION_REQUESTED, SESSIONS_ENDED, AuthService


def consumers(service: AuthService, mailer: Mailer, now: Callable[[], datetime]) -> list[Consumer]:
    """The consumers of this slice; `now` is the platform's clock, from which codes expire."""

    async def mail_code(uow: UnitOfWork, event: Event) -> None:
        # The code is born here, so that neither the outbox nor the event log ever holds one. A mail that fails rolls
        # the code back; a mail that was sent just before a crash holds a code that the next one replaces.
        mail = await service.new_code(uow, UUID(event.payload["sign_up_id"]), now())
        if mail is not None:
            await mailer.send(mail)

    async def mark_ended(_: UnitOfWork, event: Event) -> None:
        await service.liveness.mark_ended([UUID(id) for id in event.payload["session_ids"]])

    return [
        Consumer("auth.mail", frozenset({CONFIRMATION_REQUESTED}), mail_code),
        Consumer("auth.sessions", frozenset({SESSIONS_ENDED}), mark_ended),
    ]
