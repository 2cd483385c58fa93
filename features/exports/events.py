"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class ExportRequested(EventBody):
    """An export is to be made."""

    type: ClassVar[str] = "exports.requested"
    key: ClassVar[str] = "account_id"
    account_id: UUID
    export_id: UUID


EVENTS = (ExportRequested,)
