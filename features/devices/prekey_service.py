"""The service of prekeys: with a bundle of them somebody writes to a device that is offline."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices import prekey_store, store
from features.devices.claim_limits import ClaimLimits, Grant, seconds_left
from features.devices.errors import NotADevice, TooManyClaims, TooManyPreKeys
from features.devices.events import DeviceReachable, KeyKind, KeysLow
from features.devices.model import Device, PreKeyBundleOf, PreKeyCounts
from features.devices.policy import DevicePolicy
from features.devices.prekeys import read_upload
from features.events import publish
from features.identity import Identity
from features.relationships.errors import NoSuchPerson


@dataclass(frozen=True, slots=True)
class PreKeyService:
    policy: DevicePolicy
    limits: ClaimLimits

    async def upload(self, uow: UnitOfWork, identity: Identity, encoded: bytes, now: datetime) -> PreKeyCounts:
        """Publishes prekeys of the caller's device: the signed one and the last resort replace those before, one-time
        ones are added. From the first ones on, messages are for the device, too. Raises NotADevice, BadPreKeys,
        TooManyPreKeys."""
        device = await own_device(uow, identity)
        keys = read_upload(encoded, device)
        uploaded = await prekey_store.upload(uow, identity.account_id, device.number, keys, now)
        limit = self.policy.max_one_time_prekeys
        if max(uploaded.counts.one_time, uploaded.counts.kem) > limit:
            raise TooManyPreKeys(f"A device has at most {limit} one-time prekeys of either kind.")
        if uploaded.first:
            publish(uow, DeviceReachable(identity.account_id, device.number), now)
        return uploaded.counts

    async def counts(self, uow: UnitOfWork, identity: Identity) -> PreKeyCounts:
        """Returns how many one-time prekeys of the caller's device are left. Raises NotADevice."""
        device = await own_device(uow, identity)
        return await prekey_store.counts(uow, identity.account_id, device.number)

    async def claim(
        self, uow: UnitOfWork, identity: Identity, account_id: UUID, devices: Collection[int] | None, now: datetime
    ) -> list[PreKeyBundleOf]:
        """Takes a bundle of each device of an account that has published prekeys, except the caller's own device.
        `devices`: the numbers of those that are wanted, None for all. Raises NotADevice, NoSuchPerson,
        TooManyClaims."""
        device = await own_device(uow, identity)
        asked = await store.asked(uow, identity.account_id, [account_id])
        if not asked:
            raise NoSuchPerson
        granted = await self.limits.count("prekeys", identity.account_id, asked, now)
        if granted[account_id] is Grant.NOTHING:
            raise TooManyClaims(retry_after_s=seconds_left(now))
        but = device.number if account_id == identity.account_id else None
        one_time = granted[account_id] is Grant.ONE_TIME
        taken = await prekey_store.take(uow, account_id, devices, but, self.policy.low_water, one_time=one_time)
        for number in taken.low:
            publish(uow, KeysLow(account_id, number, KeyKind.PREKEYS), now)
        return [PreKeyBundleOf(keys.number, keys.bundle()) for keys in taken.keys]


async def own_device(uow: UnitOfWork, identity: Identity) -> Device:
    """Returns the device that the caller's session acts for. Raises NotADevice."""
    device = await store.of_session(uow, identity.account_id, identity.session_id)
    if device is None:
        raise NotADevice
    return device
