"""SQL of prekeys."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from cluster.postgres import UnitOfWork
from crypto.handshake import PublishedPreKeys
from features.devices.model import PreKeyCounts, UploadedPreKeys
from features.devices.prekeys import StoredPreKeys, TakenPreKeys


def _left(kem: str) -> str:
    return f"""(select count(*) from device_one_time_prekeys as k
        where k.account_id = $1 and k.device = $2 and k.kem = {kem})"""


_UPLOAD = f"""
insert into device_prekeys (account_id, device, signed, last_resort, uploaded_at) values ($1, $2, $3, $4, $5)
on conflict (account_id, device)
    do update set signed = excluded.signed, last_resort = excluded.last_resort, uploaded_at = excluded.uploaded_at
returning last_one_time_id, last_kem_id, not exists (
    select from device_prekeys as before where before.account_id = $1 and before.device = $2
) as first, {_left("false")} as one_time, {_left("true")} as kem
"""
_ADD = """
with low as (update devices set prekeys_low = false where account_id = $1 and number = $2 and prekeys_low),
last as (
    update device_prekeys set last_one_time_id = $3, last_kem_id = $4 where account_id = $1 and device = $2
)
insert into device_one_time_prekeys (account_id, device, kem, id, key)
select $1, $2, new.* from unnest($5::boolean[], $6::bigint[], $7::bytea[]) as new
"""


async def upload(
    uow: UnitOfWork, account_id: UUID, device: int, keys: PublishedPreKeys, now: datetime
) -> UploadedPreKeys:
    """Replaces the signed prekey and the last resort of a device, and adds its one-time prekeys with ids above all that
    it has published: the others have been handed out, or are there. Returns how many there are now, and whether these
    are the device's first ones. Two statements."""
    arguments = (keys.signed.encode(), keys.last_resort.encode(), now)
    row = await uow.fetchrow(_UPLOAD, account_id, device, *arguments)
    assert row is not None
    last, last_kem = row["last_one_time_id"], row["last_kem_id"]
    one_time = {key.id: key.encode() for key in keys.one_time if key.id > last}
    kem = {key.id: key.encode() for key in keys.one_time_kem if key.id > last_kem}
    last, last_kem = max([last, *one_time]), max([last_kem, *kem])
    kinds = [False] * len(one_time) + [True] * len(kem)
    columns = (kinds, [*one_time, *kem], [*one_time.values(), *kem.values()])
    await uow.execute(_ADD, account_id, device, last, last_kem, *columns)
    counts = PreKeyCounts(True, row["one_time"] + len(one_time), row["kem"] + len(kem))
    return UploadedPreKeys(counts, row["first"])


_COUNTS = f"""
select exists (select from device_prekeys where account_id = $1 and device = $2) as published,
    {_left("false")} as one_time, {_left("true")} as kem
"""


async def counts(uow: UnitOfWork, account_id: UUID, device: int) -> PreKeyCounts:
    """Returns how many one-time prekeys of a device are left."""
    row = await uow.fetchrow(_COUNTS, account_id, device)
    assert row is not None
    return PreKeyCounts(row["published"], row["one_time"], row["kem"])


# Concurrent claims skip the keys that others are taking, so that none waits and none gets the same key.
_TAKE = """
with asked as (
    select d.number, d.identity_key, p.signed, p.last_resort
    from devices as d join device_prekeys as p on p.account_id = d.account_id and p.device = d.number
    where d.account_id = $1 and d.number is distinct from $2 and ($5::integer[] is null or d.number = any($5))
), picked as materialized (
    select k.device, k.kem, k.id from asked cross join (values (false), (true)) as kinds (kem) cross join lateral (
        select device, kem, id from device_one_time_prekeys as k
        where $3 and account_id = $1 and device = asked.number and k.kem = kinds.kem
        order by id limit 1 for update skip locked
    ) as k
), taken as (
    delete from device_one_time_prekeys as k using picked
    where k.account_id = $1 and k.device = picked.device and k.kem = picked.kem and k.id = picked.id
    returning k.device, k.kem, k.key
), low as (
    update devices as d set prekeys_low = true
    where d.account_id = $1 and not d.prekeys_low and d.number in (select device from taken) and exists (
        select from (values (false), (true)) as kinds (kem) where $4::bigint > (
            select count(*) - 1 from device_one_time_prekeys as k
            where k.account_id = $1 and k.device = d.number and k.kem = kinds.kem
        )
    ) returning d.number
)
select asked.*, one_time.key as one_time, kem.key as kem, low.number is not null as low
from asked left join taken as one_time on one_time.device = asked.number and not one_time.kem
    left join taken as kem on kem.device = asked.number and kem.kem
    left join low on low.number = asked.number
order by asked.number
"""


async def take(
    uow: UnitOfWork,
    account_id: UUID,
    devices: Collection[int] | None,
    but: int | None,
    low_water: int,
    *,
    one_time: bool,
) -> TakenPreKeys:
    """Takes the prekeys for one bundle of each device of an account that has published some, but one of them; of these
    numbers alone unless `devices` is None. Returns them, and the devices that have fewer than `low_water` left since
    now. One statement."""
    numbers = None if devices is None else list(devices)
    rows = await uow.fetch(_TAKE, account_id, but, one_time, low_water, numbers)
    columns = ("number", "identity_key", "signed", "last_resort", "one_time", "kem")
    taken = [StoredPreKeys(*(row[column] for column in columns)) for row in rows]
    return TakenPreKeys(taken, [row["number"] for row in rows if row["low"]])
