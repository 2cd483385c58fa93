"""Scheduled posts and stories that are due at the same moment, at which hosts are killed.

Three hosts are processes with the whole application of a brand: they serve it, consume its events and publish
scheduled posts, over private Postgres, Redis and a folder. At one moment many scheduled posts are due and as many
stories end, and two hosts are killed. The figure is how long after that moment the last post was committed. Meanwhile
a story is read by its address, in the rings of a friend, and by the address of its image. Whatever is published twice
or not at all, not counted by consumers, or shown to a request that was sent after the end is an error, not a figure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.figure import Extra, Figure
from benchmarks.size import sized

if TYPE_CHECKING:
    import httpx

    from tests.support.environment import Environment

FIGURES = ("content.due_at_once_ms",)

_POSTS = _STORIES = sized(1_000, 40)
_HOSTS, _KILLED = 3, 2
_BETWEEN_KILLS_S = 0.05
_LEFT_AT_FIRST_KILL = sized(1, 0)
"""So many posts at least: few posts may all be committed before the first kill."""
_AHEAD_S = sized(5.0, 1.0)
_DEADLINE_S = sized(600.0, 240.0)

_SCHEDULE = """
insert into post_drafts (id, author_id, text, entities, tags, audience, publish_at, created_at, updated_at)
select gen_random_uuid(), $1, '#lisbon ' || number, '[{"tag": "lisbon", "start": 0, "end": 7}]', '{lisbon}', 'public',
    $2, now(), now()
from generate_series(1, $3::int) as number
"""
_TELL = """
insert into stories (id, author_id, text, audience, created_at, expires_at)
select gen_random_uuid(), account_id, 'x', 'connections', now(), now() + interval '1 day'
from profiles where username = any($1::text[])
"""
_END = "update stories set created_at = $1::timestamptz - interval '1 day', expires_at = $1"
_COMMITTED = "select count(*) from posts"
_ONCE = """
select (select count(*) from posts) as posts, (select count(distinct text) from posts) as different,
    (select count(*) from post_drafts) as left_over
"""


def run(_wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Measures the figure. Raises TimeoutError after ten minutes, RuntimeError for what is wrong."""
    yield asyncio.run(asyncio.wait_for(_run(), _DEADLINE_S))


@dataclass(slots=True)
class _Reader:
    """Reads one thing over and over. `shown` takes the answer and says whether the story is there."""

    client: httpx.AsyncClient
    path: str
    shown: Callable[[httpx.Response], bool]
    answers: list[tuple[datetime, bool]] = field(default_factory=list)
    """When each request was sent, and whether its answer had the story."""

    async def read(self) -> bool:
        sent = datetime.now(UTC)
        answer = self.shown(await self.client.get(self.path))
        self.answers.append((sent, answer))
        return answer

    async def read_on(self) -> None:
        """Reads until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(0.005)

    def since(self, due: datetime) -> list[bool]:
        """Returns whether they found the story, for the requests that were sent at that time or later."""
        return [shown for sent, shown in self.answers if sent >= due]


async def _run() -> Figure:
    import httpx

    from benchmarks.stack.private_brand import brand_processes, log_in_now, private_brand

    async with private_brand() as environment, brand_processes(environment, _HOSTS) as hosts:
        pool = environment.platform.database.pool
        author, story = await _tell(environment)
        bob = await log_in_now(environment, "bob")
        base = f"http://127.0.0.1:{hosts.ports[-1]}"
        async with httpx.AsyncClient(base_url=base, headers=bob.headers, timeout=60) as client:
            media = (await client.get(f"/v1/stories/{story}")).raise_for_status().json()["media"]
            image = f"/v1{media['path']}/{media['widths'][0]}.webp"
            readers = [
                _Reader(client, f"/v1/stories/{story}", _found),
                _Reader(client, image, _found),
                _Reader(client, "/v1/stories/rings?limit=100", lambda answer: bool(answer.json()["items"])),
            ]
            if not all([await reader.read() for reader in readers]) or await _ringed(client) != _STORIES:
                raise RuntimeError("stories are not shown before their end")
            due = datetime.now(UTC) + timedelta(seconds=_AHEAD_S)
            await pool.execute(_END, due)
            await pool.execute(_SCHEDULE, author, due, _POSTS)
            await hosts.consume()
            reading = [asyncio.create_task(reader.read_on()) for reader in readers]
            await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
            committed: list[int] = []
            for port in hosts.ports[:_KILLED]:
                await asyncio.sleep(_BETWEEN_KILLS_S)
                committed.append(await pool.fetchval(_COMMITTED))
                await hosts.kill(port)
            if committed[0] > _POSTS - _LEFT_AT_FIRST_KILL:
                raise RuntimeError("all posts were committed before a host was killed")
            while await pool.fetchval(_COMMITTED) < _POSTS:
                await asyncio.sleep(0.005)
            lateness = datetime.now(UTC) - due
            while not all(reader.since(due) for reader in readers) and not any(task.done() for task in reading):
                await asyncio.sleep(0.005)
            await _end(reading)
            still = [await reader.read() for reader in readers]
            if any(still) or any(any(reader.since(due)) for reader in readers) or await _ringed(client):
                raise RuntimeError("a story was shown after its end")
            row = await pool.fetchrow(_ONCE)
            if tuple(row or ()) != (_POSTS, _POSTS, 0):
                raise RuntimeError(f"posts, different posts, drafts that are left: {row}")
            counted = await _counted(client)
    reads: dict[str, Extra] = {
        "story_reads_before": sum(sent < due for reader in readers for sent, _ in reader.answers),
        "story_reads_after": sum(len(reader.since(due)) for reader in readers),
        **{f"committed_at_kill_{number}": count for number, count in enumerate(committed, 1)},
    }
    extra = {"posts": _POSTS, "stories": _STORIES, "hosts": _HOSTS, "killed": _KILLED, "bound_ms": 1_000, **reads}
    return Figure(
        "content.due_at_once_ms", lateness.total_seconds() * 1_000, "ms", extra={**extra, "counted_after_s": counted}
    )


async def _end(reading: list[asyncio.Task[None]]) -> None:
    """Ends readers. Raises what ended one of them before."""
    for task in reading:
        task.cancel()
    for ended in await asyncio.gather(*reading, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _found(answer: httpx.Response) -> bool:
    if answer.status_code not in (200, 404):
        answer.raise_for_status()
    return answer.status_code == 200


async def _tell(environment: Environment) -> tuple[UUID, str]:
    """Publishes stories of friends of bob's, ada's with an image. Returns ada's id and that of her story."""
    from tests.support.files import file_of
    from tests.support.people import add_people, befriend
    from tests.support.uploads import upload

    ada, bob = await environment.member("ada"), await environment.member("bob")
    image = {"id": await upload(environment, ada, file_of(20_000))}
    answer = await ada.post("/stories", json={"media": image, "audience": "connections"})
    names = await add_people(environment, _STORIES - 1)
    async with environment.platform.database.unit_of_work() as uow:
        await befriend(uow, bob.id, [*names, "ada"], environment.clock())
        await uow.execute(_TELL, names)
        await uow.commit()
    await environment.drain()
    return UUID(ada.id), answer.raise_for_status().json()["id"]


async def _ringed(client: httpx.AsyncClient) -> int:
    """Returns how many people have stories for the reader."""
    count, cursor = 0, ""
    while True:
        page = (await client.get(f"/v1/stories/rings?limit=100{cursor}")).raise_for_status().json()
        count += len(page["items"])
        if page["next_cursor"] is None:
            return count
        cursor = f"&cursor={page['next_cursor']}"


async def _counted(client: httpx.AsyncClient) -> float:
    """Waits until consumers have counted every post, and looks whether they count on. Returns how long it took."""
    begun = time.monotonic()
    while (posts := (await client.get("/v1/hashtags/lisbon")).raise_for_status().json()["posts"]) < _POSTS:
        await asyncio.sleep(0.1)
    took = time.monotonic() - begun
    await asyncio.sleep(1)
    posts = (await client.get("/v1/hashtags/lisbon")).json()["posts"]
    if posts != _POSTS:
        raise RuntimeError(f"{posts} posts are counted, {_POSTS} were published")
    return took
