"""Presence: who may see it, and who is notified."""

import asyncio
import contextlib
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from actors.realtime.socket_record import record_of
from cluster.postgres import connect_database
from features.live_sessions.machine import Presence
from features.live_sessions.policy import LiveSessionPolicy
from features.live_sessions.presence import PresenceAudience
from features.live_sessions.settings import PresenceSettings, apply_presence_settings
from features.realtime.errors import SessionsUnavailable
from tests.support.realtime_harness import RealtimeHarness
from tests.support.websocket import PHONE, receive, send, welcomed

OWNER, FRIEND, STRANGER, BLOCKED = (uuid4() for _ in range(4))


@pytest.fixture(autouse=True)
async def people(database_address: str) -> None:
    """OWNER has FRIEND and BLOCKED as contacts, and has blocked the latter."""
    now = datetime.now(UTC)
    connection = await asyncpg.connect(database_address)
    for person in (OWNER, FRIEND, STRANGER, BLOCKED):
        await connection.execute(
            "insert into accounts (id, email, password_hash, created_at) values ($1, $2, '', $3)",
            person,
            f"{person}@example.org",
            now,
        )
    for viewer in (FRIEND, BLOCKED):
        await connection.execute("insert into connections values ($1, $2, $3)", OWNER, viewer, now)
    await connection.execute("insert into blocks values ($1, $2, $3)", OWNER, BLOCKED, now)
    await connection.close()


async def visible_to(harness: RealtimeHarness, viewer: UUID) -> bool:
    return OWNER in await harness.sessions.presence_of(viewer, [OWNER])


@pytest.mark.parametrize(
    ("audience", "viewers"),
    [
        (PresenceAudience.NOBODY, {OWNER}),
        (PresenceAudience.CONTACTS, {OWNER, FRIEND}),
        (PresenceAudience.EVERYONE, {OWNER, FRIEND, STRANGER}),
    ],
)
async def test_presence_is_shown_to_the_owners_audience_and_never_across_a_block(
    harness: RealtimeHarness, database_address: str, audience: PresenceAudience, viewers: set[UUID]
) -> None:
    async with connect_database(database_address) as database, database.unit_of_work() as uow:
        await apply_presence_settings(uow, OWNER, PresenceSettings(audience=audience))
        await uow.commit()
    for viewer in (OWNER, FRIEND, STRANGER, BLOCKED):
        assert await visible_to(harness, viewer) == (viewer in viewers)


async def test_presence_follows_the_sockets(harness: RealtimeHarness) -> None:
    async def now() -> Presence:
        return (await harness.sessions.presence_of(FRIEND, [OWNER]))[OWNER].presence

    async def becomes(presence: Presence) -> None:
        async with asyncio.timeout(60):
            while await now() is not presence:
                await asyncio.sleep(0.01)

    assert await now() is Presence.OFFLINE
    async with welcomed(harness, OWNER) as websocket:
        assert await now() is Presence.ONLINE
        await send(websocket, {"t": "presence", "state": "away"})
        await becomes(Presence.AWAY)
        await send(websocket, {"t": "presence", "state": "active"})
        await becomes(Presence.ONLINE)
    await becomes(Presence.OFFLINE)


async def test_watchers_hear_of_changes_and_those_who_may_not_hear_nothing(
    harness: RealtimeHarness,
) -> None:
    harness.set_policy(presence_grace_s=0.1)
    async with welcomed(harness, FRIEND) as friend, welcomed(harness, STRANGER) as stranger:
        for websocket in (friend, stranger):
            await send(websocket, {"t": "watch", "users": [str(OWNER)]})
        first = await receive(friend)
        assert (first["kind"], first["data"]["presence"]) == ("presence", "offline")
        async with welcomed(harness, OWNER):
            assert (await receive(friend))["data"] == {
                "user": str(OWNER),
                "presence": "online",
                "last_seen": pytest.approx(datetime.now(UTC).timestamp(), abs=60),
            }
        assert (await receive(friend))["data"]["presence"] == "offline"
        await send(stranger, {"t": "ping", "n": 1})
        assert await receive(stranger) == {"t": "pong", "n": 1}


@pytest.mark.parametrize("state", ["suspended", "deactivated"])
async def test_who_watches_an_account_that_ends_sees_it_go_offline_and_nothing_else(
    harness: RealtimeHarness, database_address: str, state: str
) -> None:
    harness.set_policy(presence_grace_s=0.01)
    async with connect_database(database_address) as database, database.unit_of_work() as uow:
        await apply_presence_settings(uow, OWNER, PresenceSettings(audience=PresenceAudience.EVERYONE))
        await uow.commit()
    async with contextlib.AsyncExitStack() as sockets:
        viewers = [await sockets.enter_async_context(welcomed(harness, viewer)) for viewer in (FRIEND, STRANGER)]
        owner = await sockets.enter_async_context(welcomed(harness, OWNER))
        for viewer in viewers:
            await send(viewer, {"t": "watch", "users": [str(OWNER)]})
            assert (await receive(viewer))["data"]["presence"] == "online"
        # Nothing of the owner's arrival is on its way any more when the account ends.
        for client_state, presence in (("away", Presence.AWAY), ("active", Presence.ONLINE)):
            await send(owner, {"t": "presence", "state": client_state})
            for viewer in viewers:
                while (await receive(viewer))["data"]["presence"] != presence.value:
                    pass
        connection = await asyncpg.connect(database_address)
        await connection.execute("insert into blocks values ($1, $2, now())", OWNER, STRANGER)
        await connection.execute(
            "update accounts set state = $2, resumes_as = $3 where id = $1",
            *(OWNER, state, "active" if state == "suspended" else None),
        )
        for client_state, presence in (("away", Presence.AWAY), ("active", Presence.ONLINE)):
            await send(owner, {"t": "presence", "state": client_state})
            async with asyncio.timeout(60):
                while (await harness.sessions.presence_of(OWNER, [OWNER]))[OWNER].presence is not presence:
                    await asyncio.sleep(0.01)
        await harness.sessions.revoke(OWNER, PHONE)
        told = (await receive(viewers[0]))["data"]
        assert (told["user"], told["presence"]) == (str(OWNER), "offline")
        for viewer in viewers:
            await send(viewer, {"t": "watch", "users": [str(OWNER)]})
            await send(viewer, {"t": "ping", "n": 1})
            assert await receive(viewer) == {"t": "pong", "n": 1}
        await connection.close()


async def test_who_watches_ids_that_nobody_has_makes_no_sessions(harness: RealtimeHarness) -> None:
    async with welcomed(harness, FRIEND) as friend:
        before = sum(harness.shards.mailboxes.population().values())
        await send(friend, {"t": "watch", "users": [str(uuid4()) for _ in range(200)]})
        await send(friend, {"t": "watch", "users": [str(OWNER)]})
        assert (await receive(friend))["data"]["user"] == str(OWNER)
        assert sum(harness.shards.mailboxes.population().values()) == before + 1


class _DeadProcess:
    """The session calls of a host whose process is gone: none arrives."""

    async def detach(self, *_: object) -> None:
        raise SessionsUnavailable("this process is gone")


async def test_when_a_host_is_lost_its_people_go_offline_for_those_who_watch(harness: RealtimeHarness) -> None:
    usual = LiveSessionPolicy().socket_lease_s
    harness.set_policy(presence_grace_s=0.1, socket_lease_s=0.5)
    lost = harness.url
    async with contextlib.AsyncExitStack() as sockets:
        await sockets.enter_async_context(welcomed(harness, OWNER))
        harness.set_policy(socket_lease_s=usual)  # the watcher's own lease must not end
        await harness.start_host()
        friend = await sockets.enter_async_context(welcomed(harness, FRIEND))
        await send(friend, {"t": "watch", "users": [str(OWNER)]})
        host, listener, _ = harness.hosts.pop(lost)
        await listener.stop()
        host._session_tasks._sessions = _DeadProcess()  # type: ignore[assignment]
        await host.stop()
        while (await receive(friend))["data"]["presence"] != "offline":
            pass


async def test_somebody_away_was_last_seen_before_that(harness: RealtimeHarness) -> None:
    async with welcomed(harness, OWNER) as websocket:
        await send(websocket, {"t": "presence", "state": "away"})
        async with asyncio.timeout(60):
            while (state := (await harness.sessions.presence_of(FRIEND, [OWNER]))[OWNER]).presence is not Presence.AWAY:
                await asyncio.sleep(0.01)
        [connection] = [
            record_of(socket).id for host, _, _ in harness.hosts.values() for socket in host._sockets.values()
        ]
        name = next(name for _, _, name in harness.hosts.values())
        await harness.sessions.confirm(str(OWNER), connection, name, "device")
        assert (await harness.sessions.presence_of(FRIEND, [OWNER]))[OWNER].last_seen == state.last_seen
        await harness.crash_shards()
        assert (await harness.sessions.presence_of(FRIEND, [OWNER]))[OWNER].presence is Presence.AWAY
