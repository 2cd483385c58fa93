"""What an account is told about its devices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.consumers import consumers
from features.devices.events import DeviceEvent, DeviceRegistered, DeviceRemoved, KeyKind, KeysLow
from features.live_sessions.ports import LiveSessions

ADA = UUID(int=1)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class _Sent:
    """Records what a live session is given."""

    def __init__(self) -> None:
        self.pushed: list[Any] = []
        self.signalled: list[Any] = []

    async def push(self, user_id: UUID, kind: str, payload: Any, *, key: str = "") -> None:
        self.pushed.append((user_id, kind, payload, key))

    async def signal(self, user_id: UUID, kind: str, payload: Any) -> None:
        self.signalled.append((user_id, kind, payload))


async def _handle(event: DeviceEvent) -> _Sent:
    sent = _Sent()
    (wanted,) = [each for each in consumers(cast("LiveSessions", sent)) if event.type in each.types]
    await wanted.handle(cast("UnitOfWork", None), [event.event(NOW)])
    return sent


async def test_changes_are_pushed_to_all_devices() -> None:
    for event, change in ((DeviceRegistered(ADA, 2), "registered"), (DeviceRemoved(ADA, 2), "removed")):
        sent = await _handle(event)
        assert sent.pushed == [(ADA, "devices", {"number": 2, "change": change}, f"devices:2:{change}")]


async def test_keys_that_run_low_are_a_signal() -> None:
    sent = await _handle(KeysLow(ADA, 2, KeyKind.KEY_PACKAGES))
    assert sent.signalled == [(ADA, "keys_low", {"number": 2, "kind": "key_packages"})]
