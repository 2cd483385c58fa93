"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.account_state import AccountState
from features.events import EventBody


@dataclass(frozen=True, slots=True)
class AccountStateChanged(EventBody):
    """An account became active, or no longer is: its owner's posts and name are shown again, or to nobody."""

    type: ClassVar[str] = "accounts.state_changed"
    key: ClassVar[str] = "account_id"
    account_id: UUID
    state: AccountState


EVENTS = (AccountStateChanged,)
