"""Stored counts that differ from their rows are found, and corrected while others write."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments import counts
from tests.integration.test_comments import comment
from tests.integration.test_reactions import publish, react
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.stored_counts import compare_counts

POLL = {"options": ["By train", "By boat"], "duration_s": 86_400}
EVERYTHING = {
    "comments",
    "connections",
    "reactions to a comment",
    "reactions to a post",
    "reactions to a story",
    "replies",
    "reposts and quotes",
    "viewers",
    "votes",
}
_TOO_MANY = (
    "update target_counts set count = count + 3",
    "update poll_counts set voters = 9, counts[1] = 7",
    "update connection_counts set audience = 5",
)
_MISSING = ("delete from target_counts", "delete from poll_counts", "delete from connection_count_shards")


async def _fill(vignette: Environment) -> tuple[str, list[Member]]:
    """Makes something of everything that is counted, and of what is not. Returns a post and its readers."""
    ada, bob, carl = readers = [await vignette.member(name) for name in ("ada", "bob", "carl")]
    post = await publish(ada)
    top = await comment(vignette, bob, post)
    await comment(vignette, carl, post, parent=top)
    hidden = await comment(vignette, carl, post)
    poll = (await ada.post("/posts", json={"text": "How do we go?", "poll": POLL})).json()["id"]
    story = (await ada.post("/stories", json={"text": "Good morning"})).json()["id"]
    for response in (
        await bob.put("/follows/ada"),
        await ada.put(f"/comments/{hidden}/hidden"),
        await ada.put(f"/comments/{top}/reaction", json={"kind": "wow"}),
        await bob.put(f"/stories/{story}/view"),
        await bob.put(f"/stories/{story}/reaction", json={"kind": "love"}),
        await bob.put(f"/posts/{post}/repost"),
        await carl.post("/posts", json={"text": "Look", "quoted_id": post}),
        await carl.post("/posts", json={"text": "For me", "quoted_id": post, "audience": "only_me"}),
        *[await reader.put(f"/posts/{poll}/poll/vote", json={"choices": [1]}) for reader in readers],
    ):
        assert response.is_success, response.text
    await react(bob, post, "like")
    await vignette.drain()
    return post, readers


async def test_wrong_counts_are_found_and_corrected_while_others_write(vignette: Environment) -> None:
    post, (ada, _, carl) = await _fill(vignette)
    before = (await carl.get(f"/posts/{post}")).json()
    assert await compare_counts(vignette) == []
    await _break(vignette, _TOO_MANY)
    corrected = asyncio.Event()

    async def write(writer: Member) -> None:
        """Changes what is being corrected."""
        while not corrected.is_set():
            await react(writer, post, "haha")
            await writer.delete(f"/comments/{await comment(vignette, writer, post)}")
            for response in (await writer.delete(f"/posts/{post}/repost"), await writer.put(f"/posts/{post}/repost")):
                assert response.is_success, response.text
            await react(writer, post, None)

    async def correct() -> None:
        try:
            assert {name for name, _ in await compare_counts(vignette, vignette.clock, limit=1)} == EVERYTHING
            assert await compare_counts(vignette) == []
        finally:
            corrected.set()

    await asyncio.gather(write(ada), write(carl), correct())
    await vignette.drain()
    assert await compare_counts(vignette) == []
    after = (await carl.get(f"/posts/{post}")).json()
    assert after == {**before, "reposts": 3, "reposted": True}

    await _break(vignette, _MISSING)
    # Who sees the same difference as another one corrects it only once.
    await asyncio.gather(*(compare_counts(vignette, vignette.clock) for _ in range(3)))
    assert await compare_counts(vignette) == []
    assert (await carl.get(f"/posts/{post}")).json() == after
    assert (await ada.get("/profiles/ada")).json()["counts"]["followers"] == 1


async def test_votes_that_nobody_gave_are_corrected_once(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    poll = (await ada.post("/posts", json={"text": "How do we go?", "poll": POLL})).json()["id"]
    broken = "insert into poll_counts (post_id, voters, counts) values ($1, 1, array_fill(1, array[10]))"
    await vignette.platform.database.pool.execute(broken, poll)
    assert [name for name, _ in await compare_counts(vignette, vignette.clock)] == ["votes"]
    assert await compare_counts(vignette) == []


async def test_a_deleted_comment_that_keeps_its_place_is_counted_and_a_correction_renews_relevance(
    vignette: Environment,
) -> None:
    ada, bob, carl = [await vignette.member(name) for name in ("ada", "bob", "carl")]
    post = await publish(ada)
    replied, liked = await comment(vignette, bob, post), await comment(vignette, carl, post)
    await comment(vignette, carl, post, parent=replied)
    for each in (replied, liked):
        assert (await ada.put(f"/comments/{each}/reaction", json={"kind": "like"})).is_success
    assert (await bob.delete(f"/comments/{replied}")).is_success
    await vignette.drain()
    assert await compare_counts(vignette) == []

    pool = vignette.platform.database.pool
    await pool.execute("update target_counts set count = 9 where target_id = $1", replied)
    await pool.execute("delete from target_counts where target_id = $1", liked)
    await pool.execute("update comments set score = 0 where id = $1", liked)
    wrong = {(name, str(each.id)) for name, each in await compare_counts(vignette, vignette.clock)}
    reactions = "reactions to a comment"
    assert wrong == {("replies", replied), (reactions, replied), (reactions, liked)}
    assert await compare_counts(vignette) == []
    await vignette.drain()
    level = (await ada.get(f"/posts/{post}/comments", params={"order": "relevance"})).json()["items"]
    assert {item["id"]: item["replies"] for item in level} == {replied: 1, liked: 0}
    assert await pool.fetchval("select score from comments where id = $1", liked) == 1


async def _break(vignette: Environment, statements: tuple[str, ...]) -> None:
    for statement in statements:
        await vignette.platform.database.pool.execute(statement)
    assert {name for name, _ in await compare_counts(vignette)} == EVERYTHING


async def test_the_command_finds_and_corrects(
    vignette: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = {name: address.get_secret_value() for name, address in vignette.settings.databases.items()}
    monkeypatch.setenv("ENTATIVA_HOME", str(tmp_path))
    monkeypatch.setenv("ENTATIVA_DATABASES", json.dumps(databases))

    async def command(name: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, counts.app, [name, "vignette"])
        # Lines of the log are on standard error where the program `entativa` runs.
        return result.exit_code, "".join(line for line in result.stdout.splitlines(True) if line.startswith("{"))

    ada = await vignette.member("ada")
    pool = vignette.platform.database.pool
    await pool.execute("update connection_counts set audience = 5")
    wrong = {"counts": "connections", "id": ada.id, "name": "audience", "stored": "5", "counted": "0"}
    for name, code in (("check", 1), ("recount", 0)):
        found, line = await command(name)
        assert (found, json.loads(line)) == (code, wrong)
    assert await command("check") == (0, "")

    # Statements may take longer than those of requests.
    monkeypatch.setattr("cluster.postgres.COMMAND_TIMEOUT_S", 0.1)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("lock table connection_counts in access exclusive mode")
        checking = asyncio.create_task(command("check"))
        waiting = "select exists (select from pg_locks where not granted and relation = 'connection_counts'::regclass)"
        while not await connection.fetchval(waiting):
            assert not checking.done()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
    assert await checking == (0, "")
