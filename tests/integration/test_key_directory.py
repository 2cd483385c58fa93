"""The key directory over HTTP, judged by the clients' own checks (crypto.directory, crypto.transparency)."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY

from crypto.directory import (
    AccountKeys,
    DirectoryKeys,
    DirectoryStale,
    EpochAnswer,
    LookupAnswer,
    OwnerMonitor,
    SeenKeys,
    UnexpectedKeys,
    check_lookup,
)
from crypto.directory.vrf import output, verify
from crypto.transparency import LogAuditor, ProofInvalid, SignedTreeHead, verify_consistency
from features.devices.directory import store
from features.devices.directory.secrets import DirectorySecrets
from features.devices.directory_epochs import close_due_epoch, run_directory
from features.devices.errors import DirectoryUnavailable
from features.devices.policy import DevicePolicy
from features.devices.service import DeviceService
from tests.support.devices import TestDevice, decoded_keys, register_first_device
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

SECOND = timedelta(seconds=1)
UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def _close(environment: Environment) -> None:
    """Lets the time pass after which what was submitted is shown."""
    environment.clock.advance(SECOND)
    assert await close_due_epoch(environment.platform, environment.clock())


class _Client:
    """A client that looks accounts up, checks what it is told, and remembers."""

    def __init__(self, member: Member, environment: Environment, info: dict[str, Any]) -> None:
        self.member, self.environment = member, environment
        self.public = DirectoryKeys(b64decode(info["log_key"]), b64decode(info["vrf_key"]))
        self.max_age = info["max_age_ms"]
        self.auditor = LogAuditor(self.public.log)
        self.seen: dict[str, SeenKeys] = {}

    @classmethod
    async def of(cls, environment: Environment, member: Member) -> _Client:
        return cls(member, environment, (await member.get("/key-directory")).json())

    @property
    def now(self) -> int:
        return int(self.environment.clock().timestamp() * 1000)

    @property
    def size(self) -> int:
        return 0 if self.auditor.head is None else self.auditor.head.head.size

    async def ask(self, account_id: str) -> tuple[LookupAnswer, list[AccountKeys | None]]:
        seen = self.seen.get(account_id)
        query = {"known_size": self.size, "seen": 0 if seen is None else seen.number}
        answer = await self.member.get(f"/people/{account_id}/keys", params=query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return LookupAnswer.decode(b64decode(body["answer"])), [decoded_keys(each) for each in body["pending"]]

    def check(self, account_id: str, answer: LookupAnswer) -> AccountKeys | None:
        user = UUID(account_id).hex
        seen = self.seen.get(account_id)
        keys = check_lookup(self.public, self.auditor, user, answer, seen, now=self.now, max_age=self.max_age)
        if keys is not None:
            self.seen[account_id] = SeenKeys(keys.number, keys.digest)
        return keys

    async def look_up(self, account_id: str) -> AccountKeys | None:
        return self.check(account_id, (await self.ask(account_id))[0])

    async def own_epochs(self, first: int) -> list[EpochAnswer]:
        found: list[EpochAnswer] = []
        while first + len(found) < self.size:
            query = {"first": first + len(found), "size": self.size}
            answer = await self.member.get("/key-directory/epochs", params=query)
            assert answer.status_code == 200, answer.text
            found += [EpochAnswer.decode(b64decode(item)) for item in answer.json()["items"]]
        return found


async def _registered(environment: Environment, *names: str) -> list[TestDevice]:
    return [await register_first_device(await environment.member(name)) for name in names]


async def _change(environment: Environment, device: TestDevice) -> TestDevice:
    """Replaces an account's only device."""
    assert (await device.member.delete(f"/devices/{device.number}")).status_code == 200
    return await register_first_device(device.member)


async def test_contacts_follow_an_account_through_its_versions(entativa: Environment) -> None:
    ada, bob, *_ = await _registered(entativa, "ada", "bob", "carol", "dan")
    eve = await entativa.member("eve")
    await _close(entativa)
    contact = await _Client.of(entativa, bob.member)
    assert await contact.look_up(ada.member.id) == AccountKeys.first(ada.user, {1: ada.identity.public})
    assert await contact.look_up(eve.id) is None  # proven, too
    assert await contact.look_up(bob.member.id) is not None
    assert not await close_due_epoch(entativa.platform, entativa.clock())

    newer = await _change(entativa, ada)
    answer, pending = await contact.ask(ada.member.id)
    assert contact.check(ada.member.id, answer) == AccountKeys.first(ada.user, {1: ada.identity.public})
    first = AccountKeys.first(ada.user, {1: ada.identity.public})
    second = first.successor({})
    third = second.successor({2: newer.identity.public})
    assert pending == [second, third]
    await _close(entativa)  # each version is shown by an epoch of its own
    assert await contact.look_up(ada.member.id) == second
    await _close(entativa)
    assert (await contact.ask(ada.member.id))[1] == []
    assert await contact.look_up(ada.member.id) == third
    late = await _Client.of(entativa, eve)
    late.seen[ada.member.id] = SeenKeys(1, first.digest)
    assert await late.look_up(ada.member.id) == third
    assert (await late.ask(ada.member.id))[0].history == ()

    later = await contact.member.get(f"/people/{ada.member.id}/keys", params={"known_size": 1, "seen": 1})
    assert entativa.statements(later) == 5


async def test_an_answer_is_about_its_account_and_fresh(entativa: Environment) -> None:
    ada, bob = await _registered(entativa, "ada", "bob")
    await _close(entativa)
    contact = await _Client.of(entativa, bob.member)
    of_ada, _ = await contact.ask(ada.member.id)
    with pytest.raises(ProofInvalid):
        contact.check(bob.member.id, of_ada)
    entativa.clock.advance(DevicePolicy().directory_max_age + SECOND)
    with pytest.raises(DirectoryStale):
        contact.check(ada.member.id, of_ada)
    assert await close_due_epoch(entativa.platform, entativa.clock())  # a heartbeat
    bobs = await entativa.log_in("bob")
    contact.member = bobs
    assert await contact.look_up(ada.member.id) is not None


async def test_an_owner_sees_every_epoch_and_what_it_did_not_publish(entativa: Environment) -> None:
    ada, *_ = await _registered(entativa, "ada", "bob")
    expected = AccountKeys.first(ada.user, {1: ada.identity.public})
    await _close(entativa)
    client = await _Client.of(entativa, ada.member)
    answer, _ = await client.ask(ada.member.id)
    client.check(ada.member.id, answer)
    index = verify(client.public.vrf, ada.user.encode(), answer.vrf_proof)[:32]
    assert index == output(answer.vrf_proof)[:32]
    monitor = OwnerMonitor(index, 0, client.now)
    monitor.publish(expected, client.now)
    limits: dict[str, Any] = {"max_age": client.max_age, "max_delay": client.max_age}
    monitor.check(client.auditor, await client.own_epochs(0), now=client.now, **limits)
    assert monitor.keys == expected

    for name in ("carol", "dan", "frank"):  # epochs of others
        await register_first_device(await entativa.member(name))
        await _close(entativa)
    newer = await _change(entativa, ada)
    for keys in (expected.successor({}), expected.successor({}).successor({2: newer.identity.public})):
        await _close(entativa)
        await client.look_up(ada.member.id)
        monitor.publish(keys, client.now)
        answers = await client.own_epochs(monitor.next_epoch)
        monitor.check(client.auditor, answers, now=client.now, **limits)
        assert monitor.keys == keys
    assert client.size == 6

    assert (await ada.member.delete("/devices/2")).status_code == 200  # by somebody who has stolen the session
    await _close(entativa)
    await client.look_up(ada.member.id)
    with pytest.raises(UnexpectedKeys):
        monitor.check(client.auditor, await client.own_epochs(monitor.next_epoch), now=client.now, **limits)
    page = await ada.member.get("/key-directory/epochs", params={"first": 0, "size": client.size})
    assert entativa.statements(page) == 5


async def test_epochs_come_in_pages(entativa: Environment) -> None:
    (ada,) = await _registered(entativa, "ada")
    for _ in range(102):
        entativa.clock.advance(DevicePolicy().directory_heartbeat)
        assert await close_due_epoch(entativa.platform, entativa.clock())
    ada.member = await entativa.log_in("ada")
    client = await _Client.of(entativa, ada.member)
    await client.look_up(ada.member.id)
    answers = await client.own_epochs(0)
    assert [answer.epoch.number for answer in answers] == list(range(102))
    for answer in answers:
        assert client.auditor.head is not None
        answer.epoch.verify_in(client.auditor.head, answer.inclusion)


async def test_heads_continue_each_other(entativa: Environment) -> None:
    heads = []
    for _ in range(9):
        entativa.clock.advance(DevicePolicy().directory_heartbeat)
        assert await close_due_epoch(entativa.platform, entativa.clock())
        info = (await entativa.anonymous.get("/key-directory")).json()
        heads.append(SignedTreeHead.decode(b64decode(info["head"])))
        heads[-1].verify(b64decode(info["log_key"]))
    assert [head.head.size for head in heads] == list(range(1, 10))
    for old in heads:
        for new in heads[old.head.size - 1 :]:
            query = {"old_size": old.head.size, "size": new.head.size}
            answer = await entativa.anonymous.get("/key-directory/consistency", params=query)
            hashes = [b64decode(each) for each in answer.json()["hashes"]]
            verify_consistency(old.head.size, old.head.root, new.head.size, new.head.root, hashes)


async def test_who_may_look_up_whom(entativa: Environment) -> None:
    asked, stranger, blocker, blocked = await _registered(entativa, "asked", "stranger", "blocker", "blocked")
    plain = await entativa.member("plain")
    await _close(entativa)
    assert (await blocker.member.put("/blocks/asked")).is_success
    assert (await asked.member.put("/blocks/blocked")).is_success

    async def get(member: Member, account_id: str = asked.member.id) -> httpx.Response:
        return await member.get(f"/people/{account_id}/keys")

    for member in (asked.member, stranger.member, plain):
        assert (await get(member)).status_code == 200, member.username
    for member in (blocker.member, blocked.member):
        hidden, unknown = await get(member), await get(member, UNKNOWN)
        assert hidden.status_code == 404
        assert {**hidden.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}
    assert (await get(entativa.anonymous)).status_code == 401
    assert (await entativa.anonymous.get("/key-directory/epochs?first=0&size=1")).status_code == 401
    assert (await asked.member.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert (await get(stranger.member)).status_code == 404


async def test_what_is_wrong_with_a_request_is_told(entativa: Environment) -> None:
    (ada,) = await _registered(entativa, "ada")
    for path in (
        "/key-directory",
        "/key-directory/consistency?old_size=1&size=1",
        "/key-directory/epochs?first=0&size=1",
        f"/people/{ada.member.id}/keys",
    ):
        early = await ada.member.get(path)
        assert (early.status_code, early.json()["code"]) == (503, "key_directory_unavailable"), path
    await _close(entativa)
    for path in (
        "/key-directory/consistency?old_size=1&size=2",
        "/key-directory/consistency?old_size=2&size=1",
        "/key-directory/epochs?first=1&size=1",
        "/key-directory/epochs?first=0&size=2",
        f"/people/{ada.member.id}/keys?known_size=2",
    ):
        wrong = await ada.member.get(path)
        assert (wrong.status_code, wrong.json()["code"]) == (404, "no_such_head"), path
    for path in ("/key-directory/consistency?old_size=0&size=1", "/key-directory/epochs?first=-1&size=1"):
        assert (await ada.member.get(path)).status_code == 422
    seen_too_much = await ada.member.get(f"/people/{ada.member.id}/keys?seen=99")
    assert LookupAnswer.decode(b64decode(seen_too_much.json()["answer"])).keys is not None


async def test_processes_close_one_epoch_at_a_time(entativa: Environment) -> None:
    devices = await _registered(entativa, "ada", "bob", "carol")
    entativa.clock.advance(SECOND)
    closed = await asyncio.gather(*(close_due_epoch(entativa.platform, entativa.clock()) for _ in range(6)))
    assert sum(closed) == 1
    client = await _Client.of(entativa, devices[0].member)
    for device in devices:
        assert await client.look_up(device.member.id) is not None
    assert client.size == 1


async def test_who_has_waited_longest_is_shown_first(entativa: Environment) -> None:
    older, younger = await entativa.member("ada"), await entativa.member("bob")
    await register_first_device(younger)
    entativa.clock.advance(SECOND)
    first = await register_first_device(older)
    await _change(entativa, first)
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        found = [await store.submitted(uow, limit) for limit in (1, 9)]
        state = await store.state(uow, None, 1)
    assert [[str(each.account_id) for each in each] for each in found] == [[younger.id], [younger.id, older.id]]
    assert [each.keys.number for each in found[1]] == [1, 1]
    assert state.waiting == 1


async def test_the_time_of_epochs_is_that_of_postgres(entativa: Environment) -> None:
    """And one that is ahead does not stop the directory."""
    now = await entativa.platform.database.pool.fetchval("select clock_timestamp()")
    entativa.clock.advance(timedelta(days=1))  # of this process alone
    assert await close_due_epoch(entativa.platform)
    (ada,) = await _registered(entativa, "ada")
    heads = [await _head(entativa)]
    assert timedelta() <= heads[0] - now < timedelta(hours=1)

    assert await close_due_epoch(entativa.platform, entativa.clock())  # as if it were a day later
    bob, *_ = await _registered(entativa, "bob")
    ahead = _times_ahead()
    assert await close_due_epoch(entativa.platform)
    assert not await close_due_epoch(entativa.platform)
    heads += [await _head(entativa)]
    assert heads[1] == await _head(entativa, -2)
    assert _times_ahead() == ahead + 1
    client = await _Client.of(entativa, ada.member)  # whose clock has got there
    assert await client.look_up(bob.member.id) is not None


def _times_ahead() -> float:
    return REGISTRY.get_sample_value("entativa_key_directory_ahead_total", {"brand": "entativa"}) or 0


async def _head(environment: Environment, position: int = -1) -> datetime:
    rows = await environment.platform.database.pool.fetch(
        "select closed_at_ms from key_directory_epochs order by number"
    )
    return datetime.fromtimestamp(rows[position]["closed_at_ms"] / 1000, UTC)


async def test_a_directory_with_other_secrets_is_not_continued(entativa: Environment) -> None:
    await _registered(entativa, "ada")
    await _close(entativa)
    directory = entativa.platform.service(DeviceService).directory
    others = replace(directory, secrets=DirectorySecrets.derive(b"another secret", "entativa"))
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert (await directory.info(uow)).head.head.size == 1
        with pytest.raises(DirectoryUnavailable):
            await others.info(uow)


async def test_epochs_are_closed_in_the_background(entativa: Environment) -> None:
    (ada,) = await _registered(entativa, "ada")
    running = asyncio.create_task(run_directory(entativa.platform))
    try:
        async with asyncio.timeout(60):
            while (await ada.member.get("/key-directory")).status_code != 200:
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()
    client = await _Client.of(entativa, ada.member)
    assert await client.look_up(ada.member.id) is not None


async def test_an_idle_directory_waits_for_a_signal_and_shows_what_comes_then(
    entativa: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.devices.directory_epochs._POLL_S", 1e6)
    database = entativa.platform.database
    running = asyncio.create_task(run_directory(entativa.platform))
    try:
        async with asyncio.timeout(120):
            # The first epoch, of an empty directory; then it has nothing to do and listens.
            while not await database.pool.fetchval("select count(*) from key_directory_epochs"):
                await asyncio.sleep(0.05)
            await asyncio.sleep(2.0)
            await _registered(entativa, "ada")
            while await database.pool.fetchval("select count(*) from device_key_versions where shown_in is null"):
                await asyncio.sleep(0.05)
            await database.pool.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and query ilike 'listen%'"
            )
            await _registered(entativa, "bruno")
            while await database.pool.fetchval("select count(*) from device_key_versions where shown_in is null"):
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()
