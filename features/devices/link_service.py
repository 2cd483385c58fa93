"""The service of links: a further device comes into an account when one that is there approves it.

What says that it is the right device passes between the two, as a QR code or a code that people compare; the server
cannot vouch for it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from cluster.ids import new_id
from cluster.postgres import UnitOfWork
from features.devices import link_store, roster, store
from features.devices.errors import (
    NoSuchDeviceLink,
    NotADevice,
    SessionHasDevice,
    TooManyDeviceChanges,
    TooManyDevices,
)
from features.devices.events import DeviceRegistered
from features.devices.model import Device, DeviceLink
from features.devices.policy import DevicePolicy
from features.events import publish
from features.identity import Identity

UNNUMBERED = 0
"""The number in the session binding of a device that has none yet."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LinkService:
    policy: DevicePolicy

    async def create(
        self,
        uow: UnitOfWork,
        identity: Identity,
        identity_key: bytes,
        ephemeral_key: bytes,
        session_binding: bytes,
        now: datetime,
    ) -> DeviceLink:
        """Makes a link for the device that the caller's session shall act for, in place of an earlier one.
        Raises BadIdentityKey, BadSessionBinding, SessionHasDevice."""
        key = roster.identity_of(identity_key)
        roster.check_binding(key, identity.account_id, UNNUMBERED, identity.session_id, session_binding)
        if await store.of_session(uow, identity.account_id, identity.session_id) is not None:
            raise SessionHasDevice
        expires_at = now + self.policy.link_lifetime
        link = DeviceLink(new_id(now), identity.session_id, identity_key, ephemeral_key, now, expires_at)
        await link_store.insert(uow, identity.account_id, link)
        return link

    async def of_account(self, uow: UnitOfWork, identity: Identity, now: datetime) -> list[DeviceLink]:
        """Returns the links of the caller's account, oldest first."""
        return [_seen_by(identity, link) for link in await link_store.of_account(uow, identity.account_id, now)]

    async def get(self, uow: UnitOfWork, identity: Identity, link_id: UUID, now: datetime) -> DeviceLink:
        """Returns a link of the caller's account. Raises NoSuchDeviceLink."""
        return _seen_by(identity, await self._find(uow, identity.account_id, link_id, now))

    async def approve(
        self,
        uow: UnitOfWork,
        identity: Identity,
        link_id: UUID,
        account_keys: bytes,
        sealed_box: bytes,
        now: datetime,
    ) -> DeviceLink:
        """Registers the device of a link, approved by the caller's device. The same request again returns the same
        link. Raises NotADevice, NoSuchDeviceLink, BadAccountKeys, AccountKeysOutdated, SessionHasDevice,
        TooManyDevices, TooManyDeviceChanges."""
        account_id = identity.account_id
        locked = await store.lock(uow, account_id, now - _DAY)
        before = locked.roster
        if before.of_session(identity.session_id) is None:
            raise NotADevice
        link = await self._find(uow, account_id, link_id, now)
        if link.number is not None:
            if roster.repeated(before, link.identity_key, account_keys, link.session_id) is None:
                raise NoSuchDeviceLink
            return _seen_by(identity, link)
        if before.of_session(link.session_id) is not None:
            raise SessionHasDevice
        if len(before.devices) >= self.policy.max_devices:
            raise TooManyDevices(f"You can have at most {self.policy.max_devices} devices.")
        if locked.changes >= self.policy.changes_per_day:
            raise TooManyDeviceChanges(retry_after_s=3600)
        keys = roster.with_device(before, account_id, roster.identity_of(link.identity_key), account_keys)
        number = before.last_number + 1
        await store.change(uow, account_id, number, keys, now)
        await store.insert(uow, account_id, Device(number, link.identity_key, link.session_id, now))
        await link_store.approve(uow, account_id, link_id, number, sealed_box)
        publish(uow, DeviceRegistered(account_id, number), now)
        return _seen_by(identity, replace(link, number=number))

    async def delete(self, uow: UnitOfWork, identity: Identity, link_id: UUID) -> None:
        """Refuses or withdraws a link; a device that was approved stays. Raises NoSuchDeviceLink."""
        if not await link_store.delete(uow, identity.account_id, link_id):
            raise NoSuchDeviceLink

    async def _find(self, uow: UnitOfWork, account_id: UUID, link_id: UUID, now: datetime) -> DeviceLink:
        link = await link_store.find(uow, account_id, link_id, now)
        if link is None:
            raise NoSuchDeviceLink
        return link


def _seen_by(identity: Identity, link: DeviceLink) -> DeviceLink:
    """Returns a link without the box unless it is for the caller's session."""
    return link if link.session_id == identity.session_id else replace(link, sealed_box=None)
