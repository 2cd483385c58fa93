"""The service of devices: who has which, and which sign-in session acts for it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.auth.service import AuthService
from features.devices import roster, store
from features.devices.bind_limit import BindLimit
from features.devices.directory.service import DirectoryService
from features.devices.errors import DevicesExist, NoSuchDevice, SessionHasDevice, TooManyDeviceChanges
from features.devices.events import DeviceBound, DeviceRegistered, DeviceRemoved
from features.devices.key_package_service import KeyPackageService
from features.devices.link_service import LinkService
from features.devices.model import Device, Roster
from features.devices.policy import DevicePolicy
from features.devices.prekey_service import PreKeyService
from features.events import publish
from features.identity import Identity

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DeviceService:
    """`prekeys` and `key_packages` are the services of keys for beginning conversations, `directory` that of the key
    directory."""

    policy: DevicePolicy
    auth: AuthService
    prekeys: PreKeyService
    key_packages: KeyPackageService
    directory: DirectoryService
    links: LinkService
    binds: BindLimit

    async def devices_of(self, uow: UnitOfWork, account_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Device]]:
        """Returns the devices of each account, in the order of their numbers, whoever the caller is. One statement."""
        return await store.of_accounts(uow, account_ids) if account_ids else {}

    async def device_of_session(self, uow: UnitOfWork, identity: Identity) -> Device | None:
        """Returns the device that the caller's session acts for. One statement."""
        return await store.of_session(uow, identity.account_id, identity.session_id)

    async def roster(self, uow: UnitOfWork, account_id: UUID) -> Roster:
        """Returns the caller's devices. One statement."""
        return await store.roster(uow, account_id)

    async def get(self, uow: UnitOfWork, account_id: UUID, number: int) -> Device:
        """Returns one of the caller's devices. Raises NoSuchDevice."""
        device = await store.find(uow, account_id, number)
        if device is None:
            raise NoSuchDevice
        return device

    async def register_first(
        self,
        uow: UnitOfWork,
        identity: Identity,
        identity_key: bytes,
        account_keys: bytes,
        session_binding: bytes,
        now: datetime,
    ) -> Device:
        """Registers the only device of the caller's account; further ones are linked to it. If the account has had
        another one, the caller's session has just begun with the password: that of a device that was removed does not
        bring it back. The same request again returns the same device. Raises BadIdentityKey, BadAccountKeys,
        AccountKeysOutdated, BadSessionBinding, DevicesExist, LogInAgain, TooManyDeviceChanges."""
        key = roster.identity_of(identity_key)
        locked = await store.lock(uow, identity.account_id, now - _DAY)
        before = locked.roster
        if known := roster.repeated(before, identity_key, account_keys, identity.session_id):
            return known
        if before.devices:
            raise DevicesExist
        if before.last_number:
            await self.auth.sessions.require_recent(uow, identity, now)
        self._limit(locked.changes)
        keys = roster.with_device(before, identity.account_id, key, account_keys)
        number = before.last_number + 1
        roster.check_binding(key, identity.account_id, number, identity.session_id, session_binding)
        device = Device(number, identity_key, identity.session_id, now)
        await store.change(uow, identity.account_id, number, keys, now)
        await store.insert(uow, identity.account_id, device)
        publish(uow, DeviceRegistered(identity.account_id, number), now)
        return device

    async def bind(
        self, uow: UnitOfWork, identity: Identity, number: int, session_binding: bytes, now: datetime
    ) -> Device:
        """Makes the caller's session the one that acts for a device: after a new log-in on it. Nothing happens if it
        does already. Raises NoSuchDevice, BadSessionBinding, SessionHasDevice, TooManyDeviceChanges."""
        found = (await store.lock(uow, identity.account_id, now - _DAY)).roster
        device = found.device(number)
        if device is None:
            raise NoSuchDevice
        key = roster.identity_of(device.identity_key)
        roster.check_binding(key, identity.account_id, number, identity.session_id, session_binding)
        other = found.of_session(identity.session_id)
        if other is not None and other.number != number:
            raise SessionHasDevice
        if other is not None:
            return device
        await self.binds.count(identity.account_id, now)
        await store.bind(uow, identity.account_id, number, identity.session_id)
        publish(uow, DeviceBound(identity.account_id, number), now)
        return Device(number, device.identity_key, identity.session_id, device.registered_at)

    async def remove(self, uow: UnitOfWork, identity: Identity, number: int, now: datetime) -> Roster:
        """Removes a device and returns those that are left. The caller's session acts for a device of the account, or
        has just begun with the password. Raises NoSuchDevice, LogInAgain, TooManyDeviceChanges."""
        locked = await store.lock(uow, identity.account_id, now - _DAY)
        before = locked.roster
        if before.device(number) is None:
            raise NoSuchDevice
        if before.of_session(identity.session_id) is None:
            await self.auth.sessions.require_recent(uow, identity, now)
        self._limit(locked.changes)
        keys = roster.without_device(before, number)
        await store.change(uow, identity.account_id, number, keys, now)
        await store.delete(uow, identity.account_id, number)
        publish(uow, DeviceRemoved(identity.account_id, number), now)
        left = tuple(device for device in before.devices if device.number != number)
        return Roster(left, keys, before.last_number)

    def _limit(self, changes: int) -> None:
        if changes >= self.policy.changes_per_day:
            raise TooManyDeviceChanges(retry_after_s=3600)
