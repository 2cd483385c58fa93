"""The feed from memory: reads over HTTP behind Ray Serve, and how fast a post reaches timelines.

Reads are measured like those of benchmarks/http.py, beside a bare Serve no-op in the same run: pages of texts that
nobody has reacted to (`feeds.read_requests_per_s`), and of posts with images, counts and own reactions
(`content.feed_page_per_s`). Deliveries go from this process through a router to the platform's own hosts;
`fanout_10k_s` is the whole way of a post: over HTTP, the outbox, the event log and the consumer, until the last of
10,000 followers' timelines has it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.figure import Figure, quantile
from benchmarks.size import sized

if TYPE_CHECKING:
    from actors.feeds.calls import FeedCalls
    from cluster.local.installation import Installation

_READS, _DELIVERIES = "feeds.read_requests_per_s", "feeds.fanout_deliveries_per_s"
_TEN_THOUSAND, _BYTES = "feeds.fanout_10k_s", "feeds.entity_bytes"
_HEAVY = "feeds.heavy_authors_cpu_ms"
_MEDIA_READS = "content.feed_page_per_s"
FIGURES = (_READS, _MEDIA_READS, _DELIVERIES, _TEN_THOUSAND, _BYTES, _HEAVY)

_RUNS, _SECONDS, _WARM_UP_SECONDS = sized(3, 1), sized(8, 1), sized(5, 1)
_FOLLOWERS = sized(10_000, 200)


def run(wanted: Callable[[str], bool]) -> Iterator[Figure]:
    """Start the platform once for all that needs it."""
    os.environ["RAY_AUTH_MODE"] = "token"  # Ray reads it when it is first imported
    if wanted(_BYTES):
        yield _entity_bytes()
    if wanted(_HEAVY):
        from benchmarks import feeds_heavy

        yield feeds_heavy.run()
    if not any(wanted(name) for name in (_READS, _MEDIA_READS, _DELIVERIES, _TEN_THOUSAND)):
        return
    from benchmarks.platform.installation import running_platform
    from benchmarks.platform.people import WITH_MEDIA, fill_now
    from brands.catalogue import BRANDS

    with running_platform() as installation:
        if wanted(_READS):
            yield _reads(installation, _READS, fill_now(installation, BRANDS["entativa"]))
        if wanted(_MEDIA_READS):
            yield _reads(installation, _MEDIA_READS, fill_now(installation, BRANDS["entativa"], WITH_MEDIA))
        if wanted(_DELIVERIES) or wanted(_TEN_THOUSAND):
            token = fill_now(installation, BRANDS["entativa"])[0]
            for figure in asyncio.run(_deliveries(installation, token)):
                if wanted(figure.figure):
                    yield figure


def _reads(installation: Installation, figure: str, tokens: list[str]) -> Figure:
    """Reads of feeds of 50 posts by the holders of tokens. Bare and feed in turns, so that a busy moment of the machine
    hits both."""
    from benchmarks.platform.installation import BARE, cpu_seconds
    from benchmarks.platform.load import load

    feed = f"{installation.addresses()['entativa']['api']}/v1/feed"
    bare = f"{installation.base_url}/{BARE}/"
    _await_memory(feed, tokens)
    load(feed, seconds=_WARM_UP_SECONDS, tokens=tokens)
    load(bare, seconds=_WARM_UP_SECONDS)
    figures: dict[str, list[float]] = {name: [] for name in ("feed", "bare", "p95", "bare_p95", "cpu", "bare_cpu")}
    for _ in range(_RUNS):
        before = cpu_seconds(installation)
        nothing = load(bare, seconds=_SECONDS)
        between = cpu_seconds(installation)
        read = load(feed, seconds=_SECONDS, tokens=tokens)
        after = cpu_seconds(installation)
        for name, value in (
            ("feed", read.per_second),
            ("bare", nothing.per_second),
            ("p95", read.p95),
            ("bare_p95", nothing.p95),
            ("cpu", 1000 * (after - between) / read.requests),
            ("bare_cpu", 1000 * (between - before) / nothing.requests),
        ):
            figures[name].append(value)
    median = {name: quantile(values, 0.5) for name, values in figures.items()}
    extra = {"p95_ms": median["p95"], "baseline_p95_ms": median["bare_p95"], "cpu_ms": median["cpu"]}
    extra |= {"baseline_cpu_ms": median["bare_cpu"], "connections": 32}
    return Figure(figure, median["feed"], "1/s", "bare Serve no-op", median["bare"], _RUNS, extra)


def _await_memory(url: str, tokens: list[str]) -> None:
    """Every feed has been read once, and is read without a statement."""
    import httpx

    deadline = time.monotonic() + 60
    with httpx.Client(timeout=60) as client:
        for token in tokens:
            while True:
                answer = client.get(url, headers={"Authorization": f"Bearer {token}"}).raise_for_status()
                if answer.headers["Server-Timing"] == 'sql;desc="0"' and len(answer.json()["items"]) == 50:
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError(f"feeds are not served from memory: {answer.headers['Server-Timing']}")
                time.sleep(0.05)


async def _deliveries(installation: Installation, token: str) -> list[Figure]:
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(installation.node.ray_token_file)
    import ray

    from actors.feeds.calls import FeedCalls
    from actors.runtime.transport.router import Router

    author, readers = await _follow(installation)
    address = f"127.0.0.1:{installation.ports.ray_port}"
    ray.init(address=address, log_to_driver=False, configure_logging=False)
    try:
        router = await Router.connect("entativa", secret=installation.environment()["ENTATIVA_CLUSTER_SECRET"])
        feeds = FeedCalls(router)
        await _load_all(feeds, readers)
        per_second = await _deliver(feeds, author, readers)
        seconds = [await _publish(installation, feeds, token, readers) for _ in range(_RUNS)]
        await router.close()
    finally:
        ray.shutdown()
    extra: dict[str, Any] = {"readers": _FOLLOWERS, "worst": max(seconds)}
    return [
        Figure(_DELIVERIES, quantile(per_second, 0.5), "1/s", samples=len(per_second), extra={"readers": _FOLLOWERS}),
        Figure(_TEN_THOUSAND, quantile(seconds, 0.5), "s", samples=_RUNS, extra=extra),
    ]


_PEOPLE = """
with made as (
    insert into accounts (id, email, password_hash, created_at)
    select gen_random_uuid(), 'follower' || number || '@example.org', 'none', now()
    from generate_series(1, $1::int) as number returning id, split_part(email, '@', 1) as username
), named as (
    insert into profiles (account_id, username, name, created_at, updated_at)
    select id, username, username, now(), now() from made
), enrolled as (
    insert into connection_counts (account_id, audience, following) select id, 0, 1 from made
), tied as (
    insert into connections (owner_id, viewer_id, created_at)
    select (select account_id from profiles where username = 'person0'), id, now() from made
), counted as (
    update connection_counts set audience = audience + $1
    where account_id = (select account_id from profiles where username = 'person0')
)
select id from made
"""


async def _follow(installation: Installation) -> tuple[bytes, list[bytes]]:
    """10,000 new people, all in the audience of person0, whose id comes first."""
    import asyncpg

    connection = await asyncpg.connect(installation.databases()["entativa"])
    try:
        rows = await connection.fetch(_PEOPLE, _FOLLOWERS)
        author = await connection.fetchval("select account_id from profiles where username = 'person0'")
        await connection.execute("analyze")
    finally:
        await connection.close()
    return author.bytes, sorted(row["id"].bytes for row in rows)


async def _newest(feeds: FeedCalls, reader: bytes) -> list[bytes]:
    """The id of the newest post of a timeline, as soon as that can be reached."""
    from features.feed.ports import FeedsUnavailable

    while True:
        try:
            return list((await feeds.page(reader, None, 1)).ids)
        except FeedsUnavailable:
            await asyncio.sleep(0.01)


async def _load_all(feeds: FeedCalls, readers: list[bytes]) -> None:
    async def load(some: list[bytes]) -> None:
        for reader in some:
            await _newest(feeds, reader)

    await asyncio.gather(*(load(readers[start::8]) for start in range(8)))


async def _deliver(feeds: FeedCalls, author: bytes, readers: list[bytes]) -> list[float]:
    """Posts delivered a second."""
    import secrets

    from features.feed.machine import PUBLIC, Entry

    rates = []
    for number in range(5):
        entry = Entry(int((time.time() - 60 + number) * 1e6), secrets.token_bytes(16), author, PUBLIC)
        begin = time.perf_counter()
        await feeds.put(readers, entry)
        rates.append(len(readers) / (time.perf_counter() - begin))
    return rates


async def _publish(installation: Installation, feeds: FeedCalls, token: str, readers: list[bytes]) -> float:
    """Seconds from the request until all have the post. Consumers go through readers in the order of their ids."""
    from uuid import UUID

    import httpx

    url = f"{installation.addresses()['entativa']['api']}/v1/posts"
    body = {"text": "news", "audience": "public"}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        begin = time.perf_counter()
        post_id = UUID((await client.post(url, json=body)).raise_for_status().json()["id"]).bytes
    while await _newest(feeds, readers[-1]) != [post_id]:
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - begin
    for start in range(0, len(readers), 1000):
        newest = await asyncio.gather(*(_newest(feeds, reader) for reader in readers[start : start + 1000]))
        assert all(ids == [post_id] for ids in newest)
    return seconds


def _entity_bytes() -> Figure:
    """A loaded timeline of 400 posts by 20 authors, everything in it counted."""
    import secrets
    import tracemalloc

    from actors.feeds.entity import FeedEntity
    from features.feed.machine import CONNECTIONS, PUBLIC, Entry, Rights, Timeline
    from features.feed.policy import FeedPolicy

    kept, count = FeedPolicy().max_posts, 200
    people = [secrets.token_bytes(16) for _ in range(20)]
    entries = [Entry(kept - n, secrets.token_bytes(16), people[n % 20], PUBLIC) for n in range(kept)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    entities = []
    for _ in range(count):
        entity = FeedEntity(Timeline())
        rights = Rights({bytes(bytearray(person)): PUBLIC | CONNECTIONS for person in people})
        entity.timeline.load(rights, entries, kept)
        entities.append(entity)
    size = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    return Figure(_BYTES, size, "B", samples=len(entities), extra={"posts": kept, "authors": len(people)})
