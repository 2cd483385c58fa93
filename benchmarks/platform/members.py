"""Many accounts on a running platform, each with a device and a session that acts for it. They know nobody."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from benchmarks.platform.pairs import Person, database_address
from benchmarks.platform.people import open_in_process
from brands.catalogue import BRANDS
from cluster.local.installation import Installation
from features.auth.model import AuditKind
from features.auth.service import AuthService

_BRAND = BRANDS["entativa"]


async def add_members(installation: Installation, identity_keys: Sequence[tuple[UUID, bytes]]) -> list[Person]:
    """Adds accounts with these ids, whose device number 1 has this encoded identity key."""
    now, name = datetime.now(UTC), secrets.token_hex(4)
    connection = await asyncpg.connect(database_address(installation))

    async def add(table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
        await connection.copy_records_to_table(table, records=rows, columns=columns.split())

    try:
        accounts = [(id, f"{name}.{number}") for number, (id, _) in enumerate(identity_keys)]
        await add(
            "accounts",
            "id email password_hash created_at",
            [(id, f"{username}@example.org", "", now) for id, username in accounts],
        )
        await add(
            "profiles",
            "account_id username name created_at updated_at",
            [(id, username, username, now, now) for id, username in accounts],
        )
        people = await _sign_in(installation, [id for id, _ in identity_keys], now)
        devices = list(zip(people, (key for _, key in identity_keys), strict=True))
        await add(
            "devices",
            "account_id number identity_key session_id registered_at",
            [(person.account, 1, key, person.session, now) for person, key in devices],
        )
        await add(
            "device_prekeys",
            "account_id device signed last_resort uploaded_at",
            [(person.account, 1, key, key, now) for person, key in devices],
        )
        await connection.execute("analyze accounts, profiles, auth_sessions, devices, device_prekeys")
    finally:
        await connection.close()
    return people


async def _sign_in(installation: Installation, accounts: Sequence[UUID], now: datetime) -> list[Person]:
    async with open_in_process(installation, _BRAND) as platform, platform.database.unit_of_work() as uow:
        sessions = platform.service(AuthService).sessions
        started = [await sessions.start(uow, each, AuditKind.LOGGED_IN, "benchmark", now) for each in accounts]
        await uow.commit()
    return [Person.of(tokens.access_token) for tokens in started]
