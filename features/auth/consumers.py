"""Reactions to events: mail confirmation codes."""

from collections.abc import Callable
from datetime import datetime

from features.auth.service import AuthService

from cluster.consumers import Consumer
from cluster.mail import Mailer


def consumers(service: AuthService, mailer: Mailer, now: Callable[[], datetime]) -> list[Consumer]:
    """The consumers of this slice; `now` is the platform's clock."""
    return []
