"""Tells accounts over their sockets what has happened to their devices."""

from cluster.events.consumer import Consumer
from cluster.postgres import UnitOfWork
from features.devices.events import DeviceEvent, DeviceRegistered, DeviceRemoved, KeysLow
from features.errors import Unavailable
from features.events import consumer
from features.live_sessions.ports import LiveSessions

KIND = "devices"
KEYS_LOW = "keys_low"


def consumers(live: LiveSessions) -> list[Consumer]:
    """The consumers of this slice."""

    async def tell(_: UnitOfWork, event: DeviceEvent) -> None:
        change = "registered" if isinstance(event, DeviceRegistered) else "removed"
        payload = {"number": event.number, "change": change}
        await live.push(event.account_id, KIND, payload, key=f"devices:{event.number}:{change}")

    async def warn(_: UnitOfWork, event: KeysLow) -> None:
        # Transient: a device that is not connected finds out by the counts when it comes back.
        await live.signal(event.account_id, KEYS_LOW, {"number": event.number, "kind": event.kind.value})

    return [
        consumer("devices.told", (DeviceRegistered, DeviceRemoved), tell, outages=(Unavailable,)),
        consumer("devices.keys_low", (KeysLow,), warn, outages=(Unavailable,)),
    ]
