"""Whether a message was delivered as somebody says. Pure."""

import hmac
from uuid import UUID

from crypto.franking import FrankedMessage
from features.delivery_tags import DeliveryTags
from features.message_reports.errors import DeliveryKeyReplaced, MessageNotProven
from features.message_reports.model import Evidence, MessageReport


def check(evidence: Evidence, recipient_id: UUID, tags: DeliveryTags, field: str) -> None:
    """Checks that the sender has sent this content to the recipient, in this conversation and at this time. `field`:
    names the message in errors. Raises MessageNotProven, DeliveryKeyReplaced."""
    franked = FrankedMessage(evidence.content, evidence.opening)
    if not hmac.compare_digest(franked.commitment, evidence.commitment):
        raise MessageNotProven(field=f"{field}.opening")
    if not tags.knows(evidence.delivery_tag):
        raise DeliveryKeyReplaced(field=f"{field}.delivery_tag")
    if not tags.fits(evidence.delivery_tag, evidence.commitment, evidence.delivered, recipient_id):
        raise MessageNotProven(field=f"{field}.delivery_tag")


def holds(report: MessageReport, tags: DeliveryTags) -> bool:
    """Returns whether what is stored still proves itself."""
    try:
        check(report.evidence, report.reporter_id, tags, "evidence")
    except (MessageNotProven, DeliveryKeyReplaced):
        return False
    return True
