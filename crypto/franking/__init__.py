"""Message franking: a report proves what was sent although the server could never read it."""

from crypto.franking.commitment import FrankedMessage
from crypto.franking.errors import FrankingInvalid
from crypto.franking.report import DeliveryContext, Report, delivery_tag

__all__ = ["DeliveryContext", "FrankedMessage", "FrankingInvalid", "Report", "delivery_tag"]
