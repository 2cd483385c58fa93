"""The service of KeyPackages: with one of them somebody adds a device to a group."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices import key_package_store, store
from features.devices.claim_limits import ClaimLimits, Grant, seconds_left
from features.devices.errors import TooManyClaims, TooManyKeyPackages
from features.devices.events import KeyKind, KeysLow
from features.devices.key_packages import read_upload
from features.devices.model import ClaimedKeyPackage, DeviceAddress, KeyPackageCount
from features.devices.policy import DevicePolicy
from features.devices.prekey_service import own_device
from features.events import publish
from features.identity import Identity


@dataclass(frozen=True, slots=True)
class KeyPackageService:
    policy: DevicePolicy
    limits: ClaimLimits

    async def upload(
        self, uow: UnitOfWork, identity: Identity, messages: list[bytes], now: datetime
    ) -> Sequence[KeyPackageCount]:
        """Publishes KeyPackages of the caller's device; a last resort replaces the one before of its suite. Raises
        NotADevice, BadKeyPackage, TooManyKeyPackages."""
        device = await own_device(uow, identity)
        packages = read_upload(messages, identity.account_id, device, self.policy.suites, now)
        await key_package_store.upload(uow, identity.account_id, device.number, packages)
        counts = await key_package_store.counts(uow, identity.account_id, device.number, now)
        limit = self.policy.max_one_time_prekeys
        if any(count.one_time > limit for count in counts):
            raise TooManyKeyPackages(f"A device has at most {limit} KeyPackages of a suite.")
        return counts

    async def counts(self, uow: UnitOfWork, identity: Identity, now: datetime) -> Sequence[KeyPackageCount]:
        """Returns how many KeyPackages of the caller's device are left, by suite. Raises NotADevice."""
        device = await own_device(uow, identity)
        return await key_package_store.counts(uow, identity.account_id, device.number, now)

    async def claim(
        self, uow: UnitOfWork, identity: Identity, account_ids: Collection[UUID], suite: int, now: datetime
    ) -> Sequence[ClaimedKeyPackage]:
        """Takes a KeyPackage of each device of accounts, except the caller's own device. Accounts that are not found
        are left out. Raises NotADevice, TooManyClaims."""
        device = await own_device(uow, identity)
        asked = await store.asked(uow, identity.account_id, set(account_ids))
        if not asked:
            return []
        granted = await self.limits.count("key_packages", identity.account_id, asked, now)
        if Grant.NOTHING in granted.values():
            raise TooManyClaims(retry_after_s=seconds_left(now))
        accounts = {account_id: each is Grant.ONE_TIME for account_id, each in granted.items()}
        own = DeviceAddress(identity.account_id, device.number)
        taken = await key_package_store.take(uow, accounts, own, suite, self.policy.low_water, now)
        for address in taken.low:
            publish(uow, KeysLow(address.account_id, address.number, KeyKind.KEY_PACKAGES), now)
        return taken.claimed
