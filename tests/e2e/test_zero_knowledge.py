"""Nothing that people write to each other, and no key of theirs, is anywhere on the platform."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.people import People
from tests.e2e.pin_operators import pin_operators
from tests.e2e.private_life import BRAND, PrivateLife
from tests.e2e.running import RunningPlatform
from tests.support.needles import Needles
from tests.support.platform_dump import files, memory, pages, postgres_rows, redis_keys


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_platform_holds_nothing_of_private_messages(platform: RunningPlatform, tmp_path: Path) -> None:
    async with pin_operators(platform) as operators:
        life = PrivateLife(platform, tmp_path, operators)
        await life.live()
        private: dict[str, str | bytes] = {"what was written": life.mark, "a file": life.content, **life.keys}
        known = {
            "a public post": _post(platform).encode(),
            "an account's id": life.account_id.encode(),
            "a file's ciphertext": life.ciphertext,
            "a log's line": b'"level":"info"',
            "a metric": b"entativa_messages_stored_total",
        }
        found, places = await _search(platform, Needles(private), known)
    assert {name: places for name, places in found.items() if name in private} == {}

    # What the platform does know is found, so what it must not know would be.
    def is_in(name: str, *places: str) -> bool:
        return any(all(part in place for part in places) for place in found[name])

    assert is_in("a public post", "Postgres: entativa, public.posts")
    assert is_in("a public post", "file: ", "/postgres/pg_wal/")
    assert is_in("a public post", "file: ", "/postgres/base/")
    assert is_in("a public post", "memory: ", "ray::ServeReplica:entativa")
    assert is_in("a public post", "memory: ", "postgres")
    assert is_in("an account's id", "Redis: ")
    assert is_in("a file's ciphertext", "file: ", "/objects/")
    assert is_in("a log's line", "file: ", str(platform.installation.node.folder))
    assert is_in("a metric", "HTTP: metrics")
    memories = [place for place in places if place.startswith("memory: ")]
    programs = ("ray::ServeReplica", "ray::ShardHost", "ray::RealtimeActor", "postgres", "redis-server", "pin_operator")
    assert [name for name in programs if not any(name in place for place in memories)] == []


def _post(platform: RunningPlatform) -> str:
    """Publishes a post. Returns its text."""
    with httpx.Client(base_url=platform.api(BRAND), timeout=60) as client:
        person = People(platform, client).sign_up("public")
        text = f"жpublic {person.username}"
        person.expect(201, "POST", "/posts", text=text)
        person.expect(200, "GET", "/feed")
    return text


async def _search(
    platform: RunningPlatform, private: Needles, known: dict[str, bytes]
) -> tuple[dict[str, set[str]], set[str]]:
    """Searches everything, for what is known only as it is. Returns where each was found, and all places."""
    found: dict[str, set[str]] = defaultdict(set)
    places = set[str]()
    async for place, block in _everything(platform, private.longest):
        places.add(place)
        for name in private.within(block) | {name for name, what in known.items() if what in block}:
            found[name].add(place)
    return found, places


async def _everything(platform: RunningPlatform, overlap: int) -> AsyncIterator[tuple[str, bytes]]:
    installation = platform.installation
    for each in memory(platform.processes(), overlap):
        yield each
    async for each in postgres_rows(installation):
        yield each
    async for each in redis_keys(installation):
        yield each
    for each in files((installation.home, installation.node.folder), overlap):
        yield each
    for each in pages(installation):
        yield each
