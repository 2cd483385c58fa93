"""What an edit costs after many others, counted in blocks of tables and indexes that Postgres reads."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from features.posts.store import _UPDATE
from tests.support.environment import Environment

_VERSIONS = """
insert into post_versions (post_id, number, text, audience, created_at)
select $1, number, 'text', 'public', now() from generate_series(1, $2::int) as number
"""


async def test_former_edits_do_not_slow_an_edit_down(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    post_id = UUID((await ada.post("/posts", json={"text": "0"})).json()["id"])
    async with entativa.platform.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(_VERSIONS, post_id, 60_000)
        arguments: tuple[object, ...] = (
            post_id,
            UUID(ada.id),
            "new",
            None,
            "public",
            None,
            [],
            datetime.now(UTC),
            None,
            None,
            None,
            False,
        )
        plan = await connection.fetchval(f"explain (analyze, buffers, format json) {_UPDATE}", *arguments)
        # Parts that change rows run after the statement itself, and are not in its sum.
        assert sum(part["Shared Hit Blocks"] for part in (plan[0]["Plan"], *plan[0]["Plan"]["Plans"])) < 300
        assert await connection.fetchval("select max(number) from post_versions") == 60_001
        await connection.execute("delete from post_versions")
