"""Who is told that somebody's devices have changed: those with whom this person has an accepted conversation."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from actors.sessions.calls import SessionCalls
from client.realtime import Resync, Signal
from features.messaging.policy import MessagingPolicy
from features.realtime.errors import SessionsUnavailable
from tests.integration.messaging.people import Correspondence
from tests.support.devices import link_device, register_first_device
from tests.support.member import Member

NAMES = ("ada", "friend", "asked", "asks", "declined", "blocked", "blocks", "gone", "stranger")


@pytest.fixture
def messaging_policy(request: pytest.FixtureRequest) -> MessagingPolicy:
    return MessagingPolicy(max_announced=getattr(request, "param", 1_000))


class Told:
    """Which accounts were signalled something about devices, in the order of the calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.signals: list[tuple[UUID, Any]] = []
        self.unreachable: set[UUID] = set()
        deliver = SessionCalls.signal

        async def signal(calls: SessionCalls, user_id: UUID, kind: str, payload: Any) -> None:
            if kind == "devices_changed":
                self.signals.append((user_id, payload))
            if user_id in self.unreachable:
                raise SessionsUnavailable("no host")
            await deliver(calls, user_id, kind, payload)

        monkeypatch.setattr(SessionCalls, "signal", signal)

    def people(self) -> list[UUID]:
        """Takes who was told so far."""
        people, self.signals = [person for person, _ in self.signals], []
        return people


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch)


async def correspondents(both: Correspondence) -> dict[str, Member]:
    """Ada, and people in every relationship to her."""
    people = {name: await both.environment.member(name) for name in NAMES}
    ada = people["ada"]
    for name in ("friend", "blocked", "blocks", "gone"):
        await both.connect(ada, people[name])
        await both.open(ada, people[name])
    await both.open(ada, people["asked"])
    await both.open(people["asks"], ada)
    conversation = await both.open(people["declined"], ada)
    assert (await ada.post(f"/conversations/{conversation}/decline")).status_code == 204
    assert (await ada.put("/blocks/blocked")).is_success
    assert (await people["blocks"].put("/blocks/ada")).is_success
    await both.environment.platform.database.pool.execute(
        "update accounts set state = 'deactivated' where id = $1", UUID(people["gone"].id)
    )
    return people


async def test_who_is_told_that_devices_have_changed(both: Correspondence, told: Told) -> None:
    people = await correspondents(both)
    ada, friend = people["ada"], UUID(people["friend"].id)
    first = await register_first_device(ada)
    await both.environment.drain()
    assert told.signals == [(friend, {"account_id": UUID(ada.id)})]
    told.people()
    second = await link_device(first, await both.environment.log_in("ada"))
    await both.environment.drain()
    assert told.people() == [friend]
    again = await both.environment.log_in("ada")
    body = {"session_binding": second.binding(again)}
    assert (await again.put(f"/devices/{second.number}/session", json=body)).is_success
    await both.environment.drain()
    assert told.people() == [], "its keys are as before"
    assert (await ada.delete(f"/devices/{second.number}")).is_success
    await both.environment.drain()
    assert told.people() == [friend]
    # A request that is accepted makes the two correspondents, and a block ends that.
    conversation = await both.open(people["asks"], ada)
    assert (await ada.post(f"/conversations/{conversation}/accept")).status_code == 204
    assert (await ada.put("/blocks/friend")).is_success
    assert (await ada.delete(f"/devices/{first.number}")).is_success
    await both.environment.drain()
    assert told.people() == [UUID(people["asks"].id)]


@pytest.mark.parametrize("messaging_policy", [2], indirect=True)
async def test_people_of_the_newest_conversations_are_told(opened: Correspondence, told: Told) -> None:
    ada = await opened.environment.member("ada")
    ids = []
    for name in ("bob", "cara", "dan"):
        person = await opened.environment.member(name)
        await opened.connect(ada, person)
        opened.environment.clock.advance(timedelta(seconds=1))
        await opened.open(ada, person)
        ids.append(UUID(person.id))
    told.unreachable.add(ids[2])
    await register_first_device(ada)
    await opened.environment.drain()
    assert sorted(told.people()) == sorted(ids[1:]), "who is not reached holds up nobody, and is not told again"


async def test_it_is_signalled_to_all_sockets(opened: Correspondence) -> None:
    ada, bob = await opened.environment.member("ada"), await opened.environment.member("bob")
    await opened.connect(ada, bob)
    await opened.open(ada, bob)
    async with opened.host.client(bob) as client, asyncio.timeout(60):
        received = aiter(client)
        while not isinstance(await anext(received), Resync):
            pass
        await register_first_device(ada)
        await opened.environment.drain()
        async for one in received:
            if isinstance(one, Signal) and one.kind == "devices_changed":
                assert one.data == {"account_id": ada.id}
                break
