"""Export and erasure of an account through all features of a brand."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest

from cluster.postgres import Database, UnitOfWork
from features.account_state import AccountState
from features.accounts.erasure import erase_due_accounts
from features.accounts.policy import AccountPolicy
from features.auth.service import AuthService
from features.life_cycle import erase_account, export_account
from features.media.model import MediaType
from tests.support.attachments import upload_attachment
from tests.support.backups import put_segments, write_backup
from tests.support.clips import clip
from tests.support.devices import create_link, publish_key_packages, publish_prekeys, register_first_device
from tests.support.environment import PASSWORD, Environment
from tests.support.files import file_of
from tests.support.hostile_images import encoded, noise
from tests.support.member import Member
from tests.support.message_reports import proven, report
from tests.support.messaging_rows import GROUP, MESSAGE
from tests.support.people import wrong_counts
from tests.support.uploads import begin, upload


@pytest.fixture(params=["entativa", "vignette"])
def environment(request: pytest.FixtureRequest) -> Environment:
    found: Environment = request.getfixturevalue(request.param)
    return found


async def _connect(environment: Environment, one: Member, other: Member) -> None:
    if "friends" in environment.brand.feature_names:
        await one.post("/friends/requests", json={"username": other.username})
        await other.post("/friends/requests", json={"username": one.username})
    else:
        assert (await one.put(f"/follows/{other.username}")).status_code == 200
        assert (await other.put(f"/follows/{one.username}")).status_code == 200


async def _live(environment: Environment) -> tuple[Member, Member, Member]:
    """Ada and Bob, who have rows in every table of every feature, each with the other; and Eve, who wants no part."""
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    await _connect(environment, ada, bob)
    for me, other in ((ada, bob), (bob, ada)):
        poll = {"options": ["By train", "By boat"], "duration_s": 3_600}
        text = f"On my way to #lisbon with @{other.username}"
        post = (await me.post("/posts", json={"text": text, "poll": poll})).json()
        assert (await other.put(f"/posts/{post['id']}/poll/vote", json={"choices": [0]})).status_code == 200
        await me.patch(f"/posts/{post['id']}", json={"text": "Home from #lisbon"})
        assert (await me.post("/drafts", json={"text": "Off again"})).status_code == 201
        story = (await me.post("/stories", json={"text": "Good morning"})).json()
        highlight = (await me.post("/highlights", json={"title": "Lisbon"})).json()
        assert (await me.put(f"/highlights/{highlight['id']}/stories/{story['id']}")).status_code == 200
        assert (await other.put(f"/stories/{story['id']}/reaction", json={"kind": "haha"})).status_code == 204
        await me.put(f"/close-friends/{other.username}")
        await me.put(f"/mutes/{other.username}")
        created = (await me.post("/lists", json={"name": "Climbing"})).json()
        await me.put(f"/lists/{created['id']}/members/{other.username}")
        change = {"version": 0, "changes": {"presence": {"audience": "everyone"}}}
        assert (await me.patch("/settings", json=change)).is_success
        saved = (await me.post("/collections", json={"name": "Trips"})).json()
        assert (await me.put(f"/collections/{saved['id']}/posts/{post['id']}")).status_code == 200
        assert (await other.post(f"/posts/{post['id']}/share-links", json={})).status_code == 201
        await me.put("/blocks/eve")
        device, now = await register_first_device(me), int(environment.clock().timestamp())
        await create_link(await environment.log_in(me.username))
        await publish_prekeys(device, 1, now)
        await publish_key_packages(device, 1, now)
        assert (await write_backup(me, 0, await put_segments(me, b"sealed"))).is_success
        await upload_attachment(me, b"sealed")
        conversation = (await me.post("/conversations", json={"account_id": other.id})).json()["id"]
        pool = environment.platform.database.pool
        received = proven(environment, other, me, conversation)
        assert (await report(me, received)).status_code == 201
        await pool.execute(MESSAGE, UUID(conversation), UUID(me.id), UUID(other.id), environment.clock())
        await pool.execute(GROUP, uuid4(), UUID(me.id), UUID(other.id), environment.clock())
        await upload(environment, me, file_of(1000))
        avatar = await upload(environment, me, encoded(noise(100, 100), MediaType.JPEG))
        assert (await me.put("/profiles/me/avatar", json={"id": avatar})).status_code == 200
        video = await upload(environment, me, clip(seconds=0.5), "video/mp4")
        captions = {"label": "English", "webvtt": "WEBVTT\n\n00:00.000 --> 00:00.400\nHello\n"}
        assert (await me.put(f"/media/{video}/captions/en", json=captions)).status_code == 200
        await begin(me, 1000)
        assert (await me.post("/account/export")).status_code == 202
        for person, kind in ((ada, "love"), (bob, "wow")):
            assert (await person.put(f"/posts/{post['id']}/reaction", json={"kind": kind})).status_code == 200
        await me.put("/comment-filters", json={"words": ["spoiler"]})
        top = (await me.post(f"/posts/{post['id']}/comments", json={"text": f"See @{other.username}"})).json()["id"]
        await other.post(f"/posts/{post['id']}/comments", json={"text": "No", "parent_id": top})
    if "friends" in environment.brand.feature_names:
        carol = await environment.member("carol")
        await ada.post("/friends/requests", json={"username": "carol"})
        await carol.post("/friends/requests", json={"username": "bob"})
    await eve.put("/blocks/ada")
    await environment.drain()
    return ada, bob, eve


def _tables(environment: Environment) -> list[str]:
    return [table.name for feature in environment.brand.features for table in feature.tables]


async def _rows_with(environment: Environment, account_id: str) -> dict[str, int]:
    """Returns how many rows of the features' tables hold an account's id in a column of their own."""
    pool = environment.platform.database.pool
    found = {}
    for feature in environment.brand.features:
        for table in feature.tables:
            if table.account_columns:
                condition = " or ".join(f"{column} = $1" for column in table.account_columns)
                found[table.name] = await pool.fetchval(
                    f"select count(*) from {table.name} where {condition}", UUID(account_id)
                )
    return found


async def _counts(environment: Environment) -> dict[str, int]:
    pool = environment.platform.database.pool
    return {name: await pool.fetchval(f"select count(*) from {name}") for name in _tables(environment)}


async def _delete(environment: Environment, *members: Member) -> None:
    """Deletes accounts over HTTP, and lets their grace period pass."""
    for member in members:
        assert (await member.post("/account/delete", json={"password": PASSWORD})).status_code == 202
    environment.clock.advance(AccountPolicy().deletion_grace)


async def test_nothing_of_an_erased_account_is_left_and_everything_of_others_is(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    assert all((await _rows_with(environment, ada.id)).values())
    await _delete(environment, ada)
    bob = await environment.log_in("bob")
    of_bob = await _rows_with(environment, bob.id)
    assert await erase_due_accounts(environment.platform, limit=1) == 1
    assert await erase_due_accounts(environment.platform) == 0
    await _nothing_is_left(environment, ada, bob, of_bob)


async def _nothing_is_left(environment: Environment, ada: Member, bob: Member, of_bob: dict[str, int]) -> None:
    assert set((await _rows_with(environment, ada.id)).values()) == {0}
    left = await _rows_with(environment, bob.id)
    own = {
        "accounts",
        "auth_audit",
        "auth_sessions",
        "connection_counts",
        "lists",
        "media",
        "posts",
        "profiles",
        "stories",
        "story_highlights",
    }
    assert {name: left[name] for name in own} == {name: of_bob[name] for name in own}

    pool = environment.platform.database.pool
    assert await wrong_counts(environment) == 0
    await environment.drain()
    assert (await bob.get("/hashtags/lisbon")).json()["posts"] == 1
    assert (await bob.get("/profiles/me")).status_code == 200
    assert (await bob.get("/profiles/ada")).status_code == 404
    feed = (await bob.get("/feed")).json()["items"]
    assert [(post["author"]["username"], post["reactions"]["total"]) for post in feed] == [("bob", 1)]
    orphans = "select count(*) from target_counts where target_id not in"
    targets = " union all ".join(f"select id from {name}" for name in ("posts", "comments", "stories"))
    assert await pool.fetchval(f"{orphans} ({targets})") == 0
    [story] = (await bob.get("/stories/archive")).json()["items"]
    assert (story["viewers"], story["reactions"]["total"]) == (0, 0)
    assert await pool.fetchval("select count(*) from event_dead_letters") == 0


class Killed(BaseException):
    """The end of the process that erases, as far as Postgres can see it."""


@pytest.mark.parametrize("after_commit", [False, True])
async def test_an_erasure_goes_on_wherever_it_was_interrupted(
    environment: Environment, after_commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at one commit after the other, just before it or just after it."""
    ada, bob, _ = await _live(environment)
    await _delete(environment, ada)
    bob = await environment.log_in("bob")
    of_bob = await _rows_with(environment, bob.id)
    commit, deadly_commit = UnitOfWork.commit, 0

    async def deadly(uow: UnitOfWork) -> None:
        nonlocal deadly_commit
        deadly_commit -= 1
        if deadly_commit == 0 and not after_commit:
            raise Killed
        await commit(uow)
        if deadly_commit == 0:
            raise Killed

    killed = 0
    with monkeypatch.context() as patch:
        patch.setattr(UnitOfWork, "commit", deadly)
        while await _state(environment, ada) is not None:
            deadly_commit = 1 + killed  # the change of state, then one batch after the other
            with suppress(Killed):
                await erase_due_accounts(environment.platform, limit=2)
                break
            killed += 1
    assert killed > 6
    assert await erase_due_accounts(environment.platform) == 0
    await _nothing_is_left(environment, ada, bob, of_bob)


async def _state(environment: Environment, member: Member) -> AccountState | None:
    sql = "select state from accounts where id = $1"
    found = await environment.platform.database.pool.fetchval(sql, UUID(member.id))
    return None if found is None else AccountState(found)


async def test_two_processes_erase_an_account_once(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    await _delete(environment, ada)
    bob = await environment.log_in("bob")
    of_bob = await _rows_with(environment, bob.id)
    both = await asyncio.gather(*(erase_due_accounts(environment.platform, limit=1) for _ in range(2)))
    while await _state(environment, ada) is not None:  # each may have found the other at it
        both += [await erase_due_accounts(environment.platform, limit=1)]
    assert 1 <= sum(both) <= 2
    await _nothing_is_left(environment, ada, bob, of_bob)


async def test_who_comes_back_in_time_or_is_suspended_is_not_erased(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    for member in (ada, bob):
        assert (await member.post("/account/delete", json={"password": PASSWORD})).status_code == 202
    async with environment.platform.database.unit_of_work() as uow:
        life = environment.platform.service(AuthService).account_life
        await life.suspend(uow, UUID(bob.id), environment.clock())
        await uow.commit()
    await environment.log_in("ada")
    environment.clock.advance(AccountPolicy().deletion_grace)
    assert await erase_due_accounts(environment.platform) == 0
    assert await _state(environment, ada) is AccountState.ACTIVE
    async with environment.platform.database.unit_of_work() as uow:
        assert await life.end_suspension(uow, UUID(bob.id), environment.clock()) is AccountState.DELETING
        await uow.commit()
    assert await erase_due_accounts(environment.platform) == 1


async def test_one_account_that_cannot_be_erased_keeps_no_other_from_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, _ = await _live(environment)
    await _delete(environment, ada, bob)

    async def failing(database: Database, features: Any, account_id: UUID, *arguments: Any, **options: Any) -> None:
        if account_id == UUID(ada.id):
            raise ConnectionResetError
        await erase_account(database, features, account_id, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("features.accounts.erasure.erase_account", failing)
        assert await erase_due_accounts(environment.platform) == 1
    assert (await _state(environment, ada), await _state(environment, bob)) == (AccountState.DELETED, None)
    assert await erase_due_accounts(environment.platform) == 1


async def test_a_name_and_an_address_are_free_when_their_account_is_erased(environment: Environment) -> None:
    ada = await environment.member("ada")
    await _delete(environment, ada)
    assert await erase_due_accounts(environment.platform) == 1
    assert (await environment.member("ada")).id != ada.id


async def test_parts_go_with_what_they_are_parts_of(environment: Environment) -> None:
    ada, bob, eve = await _live(environment)
    await _delete(environment, ada, bob, eve)
    assert await erase_due_accounts(environment.platform) == 3
    left = await _counts(environment)
    for name in ("post_versions", "post_hashtags", "list_members"):
        assert left[name] == 0, name


async def test_an_export_has_every_table_that_is_about_the_account(environment: Environment) -> None:
    ada, bob, _ = await _live(environment)
    rows: dict[str, list[Any]] = {}
    async with environment.platform.database.unit_of_work() as uow:
        async for name, record in export_account(uow, environment.brand.features, UUID(ada.id)):
            rows.setdefault(name, []).append(record)
    about = {t.name for feature in environment.brand.features for t in feature.tables if t.subjects}
    parts = {"auth_refresh_tokens", "post_hashtags", "post_versions", "list_members", "media_files"}
    parts |= {"video_captions", "video_texts", "highlighted_stories"}
    assert rows.keys() == about | parts
    assert [post["text"] for post in rows["posts"]] == ["Home from #lisbon"]
    assert [version["text"] for version in rows["post_versions"]] == ["On my way to #lisbon with @bob"]
    assert [str(entry["member_id"]) for entry in rows["list_members"]] == [bob.id]
    assert [entry["email"] for entry in rows["accounts"]] == [ada.email]


async def test_an_export_discloses_no_secret_and_nothing_that_others_did_in_private(environment: Environment) -> None:
    ada, bob, eve = await _live(environment)
    async with environment.platform.database.unit_of_work() as uow:
        exported = [row async for row in export_account(uow, environment.brand.features, UUID(ada.id))]
    shown = {"accounts", "conversation_members", "media", "videos"}  # their state is about what is the account's own
    columns = {column for name, record in exported for column in record if column != "state" or name not in shown}
    assert columns.isdisjoint({"password_hash", "hash", "successor", "state", "refused_at"})
    assert {str(record["muter_id"]) for name, record in exported if name == "mutes"} == {ada.id}
    assert {(str(r["blocker_id"]), str(r["blocked_id"])) for name, r in exported if name == "blocks"} == {
        (ada.id, eve.id)
    }
    assert all(str(record["author_id"]) != bob.id for name, record in exported if name == "posts")
