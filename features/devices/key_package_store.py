"""SQL of KeyPackages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from features.devices.key_packages import StoredKeyPackage
from features.devices.model import ClaimedKeyPackage, DeviceAddress, KeyPackageCount, TakenKeyPackages

# The upload's statements take turns by the lock of the device.
_LOCK = """
with low as (select from devices where account_id = $1 and number = $2 for no key update)
update devices set key_packages_low = false where account_id = $1 and number = $2 and exists (select from low)
"""
_ADD = """
with replaced as (
    delete from device_key_packages as old using unnest($3::integer[], $4::boolean[], $5::bytea[])
        as new (suite, last_resort, reference)
    where old.account_id = $1 and old.device = $2 and old.last_resort and new.last_resort and old.suite = new.suite
        and old.reference <> new.reference
)
insert into device_key_packages (account_id, device, suite, last_resort, reference, expires_at, package)
select $1, $2, new.* from unnest($3::integer[], $4::boolean[], $5::bytea[], $6::timestamptz[], $7::bytea[]) as new
on conflict (account_id, device, suite, last_resort, reference) do nothing
"""
_COUNTS = """
select suite, count(*) filter (where not last_resort) as one_time, bool_or(last_resort) as last_resort
from device_key_packages where account_id = $1 and device = $2 and expires_at > $3 group by suite order by suite
"""


async def upload(uow: UnitOfWork, account_id: UUID, device: int, packages: Sequence[StoredKeyPackage]) -> None:
    """Adds KeyPackages of a device; a last resort replaces the one before of its suite. Two statements."""
    await uow.execute(_LOCK, account_id, device)
    columns = [
        [each.suite for each in packages],
        [each.last_resort for each in packages],
        [each.reference for each in packages],
        [each.expires_at for each in packages],
        [each.package for each in packages],
    ]
    await uow.execute(_ADD, account_id, device, *columns)


async def counts(uow: UnitOfWork, account_id: UUID, device: int, now: datetime) -> list[KeyPackageCount]:
    """Returns how many KeyPackages of a device are left in each suite."""
    rows = await uow.fetch(_COUNTS, account_id, device, now)
    return [KeyPackageCount(row["suite"], row["one_time"], row["last_resort"]) for row in rows]


_TAKE = """
with asked as (
    select d.account_id, d.number, granted.one_time
    from unnest($1::uuid[], $2::boolean[]) as granted (id, one_time)
    join devices as d on d.account_id = granted.id
    where d.account_id <> $3 or d.number <> $4
), picked as materialized (
    select k.account_id, k.device, k.reference from asked cross join lateral (
        select account_id, device, reference from device_key_packages as k
        where asked.one_time and k.account_id = asked.account_id and k.device = asked.number and k.suite = $5
            and not k.last_resort and k.expires_at > $6
        order by k.expires_at, k.reference limit 1 for update skip locked
    ) as k
), taken as (
    delete from device_key_packages as k using picked
    where k.account_id = picked.account_id and k.device = picked.device and k.suite = $5 and not k.last_resort
        and k.reference = picked.reference
    returning k.account_id, k.device, k.package
), low as (
    update devices as d set key_packages_low = true from taken
    where d.account_id = taken.account_id and d.number = taken.device and not d.key_packages_low and $7::bigint > (
        select count(*) - 1 from device_key_packages as k
        where k.account_id = d.account_id and k.device = d.number and k.suite = $5 and not k.last_resort
    ) returning d.account_id, d.number
)
select asked.account_id, asked.number, coalesce(taken.package, (
    select package from device_key_packages as k
    where k.account_id = asked.account_id and k.device = asked.number and k.suite = $5 and k.last_resort
        and k.expires_at > $6 limit 1
)) as package, low.number is not null as low
from asked left join taken on taken.account_id = asked.account_id and taken.device = asked.number
    left join low on low.account_id = asked.account_id and low.number = asked.number
order by asked.account_id, asked.number
"""


async def take(
    uow: UnitOfWork,
    accounts: Mapping[UUID, bool],
    but: DeviceAddress,
    suite: int,
    low_water: int,
    now: datetime,
) -> TakenKeyPackages:
    """Takes a KeyPackage of a suite of each device of accounts (each with whether it gives one-time ones), except one
    device. Returns them, and the devices that have fewer than `low_water` left since now. One statement."""
    arguments = (list(accounts), list(accounts.values()), but.account_id, but.number, suite, now, low_water)
    rows = await uow.fetch(_TAKE, *arguments)
    claimed = [ClaimedKeyPackage(row["account_id"], row["number"], row["package"]) for row in rows]
    low = [DeviceAddress(row["account_id"], row["number"]) for row in rows if row["low"]]
    return TakenKeyPackages(claimed, low)
