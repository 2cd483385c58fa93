"""The data of reports of messages."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from features.delivery_tags import Delivered

MAX_MESSAGES = 10
"""Messages of one request."""
MAX_CONTENT_BYTES = 64 * 1024
"""Of one message: no larger one is delivered."""


class ReportReason(StrEnum):
    SPAM = "spam"
    FRAUD = "fraud"
    HARASSMENT = "harassment"
    HATE = "hate"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    CHILD_SAFETY = "child_safety"
    SELF_HARM = "self_harm"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a recipient shows of a message. `content`: a crypto.envelope.MessageContent, encoded; `commitment` and
    `opening`: 32 bytes each (crypto.franking); `delivery_tag`: as it was delivered (features/delivery_tags.py)."""

    delivered: Delivered
    commitment: bytes
    opening: bytes = field(repr=False)
    content: bytes = field(repr=False)
    delivery_tag: bytes


@dataclass(frozen=True, slots=True)
class MessageReport:
    """A reported message. `sent_at`: in milliseconds, which is what its tag proves."""

    id: UUID
    reporter_id: UUID
    reason: ReportReason
    reported_at: datetime
    sent_at: datetime
    evidence: Evidence
