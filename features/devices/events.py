"""The events of this slice."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from features.events import EventBody


class KeyKind(StrEnum):
    """Keys that are handed out once."""

    PREKEYS = "prekeys"
    KEY_PACKAGES = "key_packages"


@dataclass(frozen=True, slots=True)
class DeviceEvent(EventBody):
    """Something happened to a device of an account."""

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
class DeviceReachable(DeviceEvent):
    """A device has published its first prekeys: from now on messages are for it, too."""

    type: ClassVar[str] = "devices.reachable"


@dataclass(frozen=True, slots=True)
class DeviceRemoved(DeviceEvent):
    type: ClassVar[str] = "devices.removed"


@dataclass(frozen=True, slots=True)
class KeysLow(DeviceEvent):
    """A device has few one-time keys left, and should publish more. Published once until it does."""

    type: ClassVar[str] = "devices.keys_low"
    kind: KeyKind


EVENTS = (DeviceRegistered, DeviceBound, DeviceReachable, DeviceRemoved, KeysLow)
