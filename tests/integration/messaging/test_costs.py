"""What lists cost however much there is, in blocks of tables and indexes that Postgres reads."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from features.devices.directory.store import _SUBMITTED
from features.messaging.store import _BEFORE_ALL, _LIST
from tests.integration.messaging.people import Correspondence

_CONVERSATIONS = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), number || '@example.org', 'none', now() from generate_series(1, 2000) as number
    returning id
), opened as (
    insert into conversations (id, kind, created_at) select id, 'pair', now() from people returning id
), others as (
    insert into conversation_members (conversation_id, account_id, state, joined_at)
    select id, id, 'active', now() from people
)
insert into conversation_members (conversation_id, account_id, state, joined_at)
select id, $1, case when row_number() over () % 2 = 0 then 'active' else 'declined' end, now() from opened
"""
_KEYS = """
insert into device_key_versions (account_id, number, keys, submitted_at)
select id, number, 'none', now() from accounts cross join generate_series(1, 3) as number
"""


async def _blocks_read(opened: Correspondence, sql: str, *arguments: Any) -> int:
    pool = opened.environment.platform.database.pool
    plan = (await pool.fetchval(f"explain (analyze, buffers, format json) {sql}", *arguments))[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


async def test_a_page_costs_what_it_shows(opened: Correspondence) -> None:
    """Conversations in a state, and keys that the directory is to show."""
    ada = await opened.environment.member("ada")
    pool = opened.environment.platform.database.pool
    await pool.execute(_CONVERSATIONS, UUID(ada.id))
    await pool.execute(_KEYS)
    await pool.execute("analyze")
    read = [await _blocks_read(opened, _LIST, UUID(ada.id), "declined", *_BEFORE_ALL, size) for size in (10, 50)]
    assert read[1] < 50 * 40, read
    assert read[0] < read[1] / 2, "in proportion to the page"
    assert await _blocks_read(opened, _SUBMITTED, 20) < 20 * 3 * 10
