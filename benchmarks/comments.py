"""Pages of comments a second: 50 comments of a level with counts, own reactions and a mention, by relevance.

A page is what the service returns for a reader, as JSON, from a private Postgres server; several are read at once. The
baseline is the statement of a page alone, without the check of the post and without rendering.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

FIGURES = ("content.comment_page_per_s",)

_COMMENTS, _PEOPLE, _AT_ONCE = sized(2_000, 60), sized(20_000, 20), 8
_SECONDS, _ROUNDS = sized(3.0, 0.2), sized(3, 1)
_DEADLINE_S = 600

_FILL = """
with people as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), 'fan' || number || '@example.org', 'none', now()
    from generate_series(1, $1::int) as number returning id, split_part(email, '@', 1) as username
), named as (
    insert into profiles (account_id, username, name, created_at, updated_at)
    select id, username, username, now(), now() from people
), numbered as (
    select id, row_number() over () as number from people
), post as (
    insert into posts (id, author_id, text, audience, created_at)
    select gen_random_uuid(), id, 'x', 'public', now() from numbered where number = 1 returning id
), made as (
    insert into comments (id, post_id, level_id, depth, author_id, text, entities, created_at, score)
    select gen_random_uuid(), post.id, post.id, 1, numbered.id, 'See you there, @fan1',
        jsonb_build_array(jsonb_build_object('account_id', (select id from numbered where number = 1),
            'start', 15, 'end', 20)),
        now() - series * interval '1 s', series % 7
    from post cross join generate_series(1, $2::int) as series
    join numbered on numbered.number = 1 + series % $1::int
    returning id, score
), reacted as (
    insert into reactions (target_id, target_kind, account_id, kind, created_at)
    select made.id, 'comment', numbered.id, 'like', now() from made join numbered on numbered.number <= made.score
), counted as (
    insert into target_counts (target_id, name, shard, count)
    select id, 'like', 0, score from made where score > 0
)
select (select id from post) as post, (select id from numbered where number = 2) as reader
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises TimeoutError after ten minutes."""
    yield asyncio.run(asyncio.wait_for(_run(), _DEADLINE_S))


async def _run() -> Figure:
    import orjson

    from benchmarks.stack.private_postgres import private_database
    from features.comments import store
    from features.comments.model import CommentOrder
    from features.comments.moderation import CommentModeration
    from features.comments.policy import CommentPolicy
    from features.comments.service import CommentService
    from features.profiles.policy import ProfilePolicy
    from features.profiles.service import ProfileService
    from features.relationships.policy import RelationshipPolicy
    from features.relationships.service import RelationshipService
    from features.sealed_cursors import SealedCursors, SealedPageRequest

    cursors = SealedCursors.of_brand(b"benchmark", "benchmark")
    profiles = ProfileService(ProfilePolicy(), RelationshipService(RelationshipPolicy(), cursors))
    policy = CommentPolicy()
    comments = CommentService(policy, profiles, CommentModeration(policy), cursors)
    order, page = CommentOrder.RELEVANCE, SealedPageRequest(50)
    rates: dict[str, list[float]] = {"page": [], "statement": []}
    async with private_database(pool_size=_AT_ONCE) as database:
        filled = await database.pool.fetchrow(_FILL, _PEOPLE, _COMMENTS)
        assert filled is not None
        await database.pool.execute("analyze")
        post, reader = filled["post"], filled["reader"]

        async def read_page() -> None:
            async with database.unit_of_work(read_only=True) as uow:
                found = await comments.on_post(uow, post, reader, order, page)
            orjson.dumps(found, option=orjson.OPT_UTC_Z)
            assert len(found.items) == page.limit

        async def run_statement() -> None:
            async with database.unit_of_work(read_only=True) as uow:
                await store.level(uow, post, reader, reader, order, None, page.limit + 1)

        for _ in range(_ROUNDS):
            rates["statement"].append(await _rate(run_statement))
            rates["page"].append(await _rate(read_page))
    return Figure(
        "content.comment_page_per_s",
        quantile(rates["page"], 0.5),
        "1/s",
        "the statement of a page alone",
        quantile(rates["statement"], 0.5),
        samples=_ROUNDS,
        extra={"comments": _COMMENTS, "at_once": _AT_ONCE, "per_page": page.limit},
    )


async def _rate(work: Callable[[], Awaitable[None]]) -> float:
    """Repeats work for a time, several at once. Returns how often a second."""
    done, until = 0, time.perf_counter() + _SECONDS

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < until:
            await work()
            done += 1

    begun = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(_AT_ONCE)))
    return done / (time.perf_counter() - begun)
