"""Prekeys of this device at the server: uploaded, counted and replenished."""

from collections.abc import Iterator

from client.messaging.device import Device
from client.messaging.requests import CountPreKeys, PreKeysLeft, UploadPreKeys
from client.storage import Database

_CHECK_MS = 3_600_000


class PreKeys:
    """Opens transactions by itself."""

    def __init__(self, database: Database, device: Device, wanted: int) -> None:
        """`wanted`: how many one-time prekeys of each kind the server should have."""
        self._database = database
        self._device = device
        self._wanted = wanted
        self._checked_at: int | None = None
        self._counted = False  # whether all is known that the server has said about those that are left

    def low(self) -> None:
        """The server has few left, or a signal that says so may have been missed."""
        self._counted = False

    def requests(self, now: int) -> Iterator[UploadPreKeys | CountPreKeys]:
        """What is to be asked now."""
        if published := self._upload(now):
            yield UploadPreKeys(published)
        elif not self._counted:
            yield CountPreKeys()

    def uploaded(self, published: bytes, left: PreKeysLeft, now: int) -> None:
        """The server has these."""
        with self._database.transaction():
            self._device.uploaded(published)
            self._replenish(left, now)

    def counted(self, left: PreKeysLeft, now: int) -> None:
        """The server has said how many are left."""
        with self._database.transaction():
            self._replenish(left, now)

    def refused(self, published: bytes, code: str, now: int) -> None:
        """The signed prekey goes without one-time prekeys. If the server keeps fewer of these than this device wants it
        to have, then half as many will do, until the process ends."""
        if code == "too_many_prekeys":
            self._wanted //= 2
        with self._database.transaction():
            if self._device.upload == published:
                self._device.make_prekeys(0, 0, now // 1000)

    def _upload(self, now: int) -> bytes | None:
        if self._checked_at is None or now - self._checked_at > _CHECK_MS:
            if self._device.prekeys_due(now // 1000):
                # The server still has one-time prekeys of the former ones: its count says how many more it needs.
                first = 0 if self._device.has_prekeys() else self._wanted
                with self._database.transaction():
                    self._device.make_prekeys(first, first, now // 1000)
            self._checked_at = now
        return self._device.upload

    def _replenish(self, left: PreKeysLeft, now: int) -> None:
        """Makes the one-time prekeys that the server is short of, once half of a kind is gone."""
        self._counted = True
        if self._device.upload is None and min(left.one_time, left.kem) * 2 <= self._wanted:
            one_time, kem = (max(self._wanted - each, 0) for each in (left.one_time, left.kem))
            if one_time or kem:
                self._device.make_prekeys(one_time, kem, now // 1000)
