"""The events of this slice."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


@dataclass(frozen=True, slots=True)
class DeviceEvent(EventBody):
    """The devices of an account have changed."""

    key: ClassVar[str] = "account_id"
    account_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class DeviceRegistered(DeviceEvent):
    type: ClassVar[str] = "devices.registered"


@dataclass(frozen=True, slots=True)
class DeviceBound(DeviceEvent):
    """Another sign-in session acts for a device."""

    type: ClassVar[str] = "devices.bound"


@dataclass(frozen=True, slots=True)
class DeviceRemoved(DeviceEvent):
    type: ClassVar[str] = "devices.removed"


EVENTS = (DeviceRegistered, DeviceBound, DeviceRemoved)
