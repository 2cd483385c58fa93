"""Prekeys and KeyPackages over HTTP: who publishes and claims them, that each is handed out once, and what bad input
gets."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from cluster.redis import open_redis
from crypto.handshake import PreKeyBundle, PreKeyStore
from crypto.identity import IdentityKeyPair
from crypto.mls import CipherSuite, GroupPolicy, IdentityAuthentication, KnownDevices, check_key_package
from crypto.sessions import DeviceAddress, SessionStore
from features.devices.claim_limits import ClaimLimits, Grant
from features.devices.policy import DevicePolicy
from tests.support.devices import (
    RNG,
    TestDevice,
    key_packages,
    link_device,
    new_prekeys,
    publish_key_packages,
    publish_prekeys,
    register_first_device,
    text,
)
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member

UNKNOWN = "00000000-0000-7000-8000-000000000000"
POLICY = DevicePolicy()
SUITE = 2


def _now(environment: Environment) -> int:
    return int(environment.clock().timestamp())


async def _claim(asker: Member, asked: str) -> httpx.Response:
    return await asker.post("/prekeys/claims", json={"account_id": asked})


async def _bundles(asker: Member, asked: Member) -> list[PreKeyBundle]:
    answer = await _claim(asker, asked.id)
    assert answer.status_code == 200, answer.text
    return [PreKeyBundle.decode(b64decode(item["bundle"])) for item in answer.json()["items"]]


async def _packages(asker: Member, *asked: str, suite: int = SUITE) -> list[dict[str, Any]]:
    answer = await asker.post("/key-packages/claims", json={"account_ids": asked, "suite": suite})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def _devices(environment: Environment, *names: str) -> list[TestDevice]:
    return [await register_first_device(await environment.member(name)) for name in names]


async def _befriend(one: Member, other: Member) -> None:
    await one.post("/friends/requests", json={"username": other.username})
    await other.post("/friends/requests", json={"username": one.username})


async def _low(environment: Environment) -> list[Any]:
    rows = await environment.platform.database.pool.fetch("select payload from outbox where type = 'devices.keys_low'")
    return [row["payload"] for row in rows]


async def test_a_bundle_begins_a_conversation_with_somebody_offline(entativa: Environment) -> None:
    ada, bob = await _devices(entativa, "ada", "bob")
    now = _now(entativa)
    assert (await ada.member.get("/prekeys")).json() == {"published": False, "one_time": 0, "kem": 0}
    assert await _bundles(bob.member, ada.member) == []
    await publish_prekeys(ada, 3, now)
    assert (await ada.member.get("/prekeys")).json() == {"published": True, "one_time": 3, "kem": 3}
    (bundle,) = await _bundles(bob.member, ada.member)
    assert bundle.one_time is not None
    assert (await ada.member.get("/prekeys")).json() == {"published": True, "one_time": 2, "kem": 2}

    address = DeviceAddress(ada.user, 1)
    bobs = SessionStore(DeviceAddress(bob.user, 1), bob.identity, PreKeyStore(bob.identity))
    bobs.update_roster(ada.user, {1: ada.identity.public}, now)
    bobs.start(address, bundle, RNG)
    adas = SessionStore(address, ada.identity, ada.prekeys)
    adas.update_roster(bob.user, {1: bob.identity.public}, now)
    assert adas.decrypt(DeviceAddress(bob.user, 1), bobs.encrypt(address, b"hello", RNG)) == b"hello"


async def test_each_prekey_is_handed_out_once_and_then_the_last_resort(entativa: Environment) -> None:
    ada, bob, carol = await _devices(entativa, "ada", "bob", "carol")
    await publish_prekeys(ada, 20, _now(entativa))
    askers = [bob.member, carol.member] * 13
    found = [
        bundle for each in await asyncio.gather(*(_bundles(asker, ada.member) for asker in askers)) for bundle in each
    ]
    one_time = Counter(bundle.one_time.id for bundle in found if bundle.one_time)
    kem = Counter(bundle.kem.id for bundle in found if bundle.kem and not bundle.kem.last_resort)
    assert set(one_time.values()) == set(kem.values()) == {1}
    counts = (await ada.member.get("/prekeys")).json()
    assert (len(one_time) + counts["one_time"], len(kem) + counts["kem"]) == (20, 20)
    assert all(bundle.kem is not None for bundle in found)
    while counts["one_time"] or counts["kem"]:  # a claim passes over keys that others are taking at the moment
        (bundle,) = await _bundles(carol.member, ada.member)
        counts = (await ada.member.get("/prekeys")).json()
    (bundle,) = await _bundles(carol.member, ada.member)
    bundle.verify()
    assert bundle.one_time is None
    assert bundle.kem is not None
    assert bundle.kem.last_resort
    assert await _low(entativa) == [{"account_id": ada.member.id, "number": 1, "kind": "prekeys"}]

    more = new_prekeys(ada, 30, _now(entativa))
    assert (await ada.member.put("/prekeys", json={"prekeys": text(more.encode())})).json()["kem"] == 30
    (taken,) = await _bundles(bob.member, ada.member)
    assert taken.one_time is not None
    again = await ada.member.put("/prekeys", json={"prekeys": text(more.encode())})  # its answer was lost
    assert again.json() == {"published": True, "one_time": 29, "kem": 29}  # what was handed out does not come back
    assert len(await _low(entativa)) == 1


async def test_a_claim_takes_keys_of_the_devices_that_it_names(entativa: Environment) -> None:
    phone, bob = await _devices(entativa, "ada", "bob")
    tablet = await link_device(phone, await entativa.log_in("ada"))
    for each in (phone, tablet):
        await publish_prekeys(each, 3, _now(entativa))

    async def claim(asker: Member, devices: Any) -> httpx.Response:
        return await asker.post("/prekeys/claims", json={"account_id": phone.member.id, "devices": devices})

    async def left() -> list[int]:
        return [(await each.member.get("/prekeys")).json()["one_time"] for each in (phone, tablet)]

    for devices, found, counts in (
        ([2], [2], [3, 2]),
        ([2, 2, 9], [2], [3, 1]),
        ([9], [], [3, 1]),
        (None, [1, 2], [2, 0]),
    ):
        answer = await claim(bob.member, devices)
        assert [item["number"] for item in answer.json()["items"]] == found, answer.text
        assert await left() == counts
    own = await claim(phone.member, [1])
    assert own.json()["items"] == []  # its own device
    for wrong in ([], [0], ["x"], [2**31], [1] * 65, 1):
        answer = await claim(bob.member, wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"][0]["field"].startswith("devices"), wrong


async def test_a_key_package_adds_a_device_to_one_group(entativa: Environment) -> None:
    ada, bob = await _devices(entativa, "ada", "bob")
    now = _now(entativa)
    nothing = {"account_id": ada.member.id, "number": 1, "key_package": None}
    assert await _packages(bob.member, ada.member.id) == [nothing]
    one_time = {text(bundle.message()) for bundle in await publish_key_packages(ada, 3, now)}
    await publish_key_packages(ada, 1, now, last_resort=True)
    (last,) = await publish_key_packages(ada, 1, now, last_resort=True)
    counts = {"items": [{"suite": SUITE, "one_time": 3, "last_resort": True}]}
    assert (await ada.member.get("/key-packages")).json() == counts
    found = [item for _ in range(5) for item in await _packages(bob.member, ada.member.id)]
    assert {item["key_package"] for item in found[:3]} == one_time
    assert {item["key_package"] for item in found[3:]} == {text(last.message())}
    known = KnownDevices()
    known.add(ada.user, 1, ada.identity.public)
    check_key_package(
        b64decode(found[0]["key_package"]), now=now, policy=GroupPolicy(authentication=IdentityAuthentication(known))
    )
    assert await _packages(bob.member, ada.member.id, suite=1) == [nothing]
    assert await _low(entativa) == [{"account_id": ada.member.id, "number": 1, "kind": "key_packages"}]
    entativa.clock.advance(timedelta(days=29))
    bobs = await entativa.log_in("bob")
    assert (await bobs.put("/devices/1/session", json={"session_binding": bob.binding(bobs)})).is_success
    assert await _packages(bobs, ada.member.id) == [nothing]


async def test_key_packages_of_many_accounts_are_each_handed_out_once(entativa: Environment) -> None:
    people = await _devices(entativa, "ada", "bob", "carol", "dan")
    ada, others = people[0], people[1:]
    for each in others:
        await publish_key_packages(each, 3, _now(entativa))
    ids = [each.member.id for each in people]
    answers = await asyncio.gather(
        *(
            each.member.post("/key-packages/claims", json={"account_ids": [*ids, UNKNOWN], "suite": SUITE})
            for each in people
        )
    )
    items = [item for answer in answers for item in answer.json()["items"]]
    assert len(items) == 4 * 4 - 4  # nobody gets one of the own device
    handed_out = [item["key_package"] for item in items if item["key_package"]]
    assert len(set(handed_out)) == len(handed_out)
    few = await ada.member.post("/key-packages/claims", json={"account_ids": ids[:1], "suite": SUITE})
    many = await ada.member.post("/key-packages/claims", json={"account_ids": ids, "suite": SUITE})
    assert (entativa.statements(few), entativa.statements(many)) == (3, 3)
    assert entativa.statements(await _claim(ada.member, ids[1])) == 3


async def test_keys_are_found_of_those_whom_the_asker_may_know(entativa: Environment) -> None:
    """Strangers too: a first message is a request. Blocks and accounts that are not active answer as if there were no
    such account."""
    asked, friend, stranger, blocker, blocked = await _devices(
        entativa, "asked", "friend", "stranger", "blocker", "blocked"
    )
    plain = await entativa.member("plain")
    await _befriend(asked.member, friend.member)
    assert (await blocker.member.put("/blocks/asked")).is_success
    assert (await asked.member.put("/blocks/blocked")).is_success
    await publish_prekeys(asked, 5, _now(entativa))
    await publish_key_packages(asked, 5, _now(entativa))

    async def check(asker: Member, found: bool) -> None:
        answer = await _claim(asker, asked.member.id)
        packages = await _packages(asker, asked.member.id)
        if found:
            assert (len(answer.json()["items"]), len(packages)) == (1, 1), asker.username
        else:
            unknown = await _claim(asker, UNKNOWN)
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_person"), asker.username
            assert {**answer.json(), "trace_id": ""} == {**unknown.json(), "trace_id": ""}
            assert packages == []

    await check(friend.member, found=True)
    await check(stranger.member, found=True)
    await check(blocker.member, found=False)
    await check(blocked.member, found=False)
    assert (await _claim(asked.member, asked.member.id)).json()["items"] == []  # its only device is the caller's
    for member, status, code in ((plain, 409, "not_a_device"), (entativa.anonymous, 401, "sign_in_required")):
        for method, path, body in (
            ("POST", "/prekeys/claims", {"account_id": asked.member.id}),
            ("POST", "/key-packages/claims", {"account_ids": [asked.member.id], "suite": SUITE}),
            ("PUT", "/prekeys", {"prekeys": text(b"x")}),
            ("POST", "/key-packages", {"key_packages": [text(b"x")]}),
            ("GET", "/prekeys", None),
            ("GET", "/key-packages", None),
        ):
            answer = await member.request(method, path, **({} if body is None else {"json": body}))
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
    assert (await asked.member.post("/account/deactivate", json={"password": PASSWORD})).is_success
    await check(stranger.member, found=False)


async def test_a_removed_device_has_no_keys(entativa: Environment) -> None:
    ada, bob = await _devices(entativa, "ada", "bob")
    await publish_prekeys(ada, 2, _now(entativa))
    await publish_key_packages(ada, 2, _now(entativa))
    assert (await ada.member.delete("/devices/1")).status_code == 200
    assert await _bundles(bob.member, ada.member) == []
    assert await _packages(bob.member, ada.member.id) == []
    tables = ("device_prekeys", "device_one_time_prekeys", "device_key_packages")
    pool = entativa.platform.database.pool
    assert [await pool.fetchval(f"select count(*) from {table}") for table in tables] == [0, 0, 0]


async def test_what_is_wrong_with_prekeys_is_named(entativa: Environment) -> None:
    ada, bob = await _devices(entativa, "ada", "bob")
    now = _now(entativa)
    await publish_prekeys(ada, 2, now)
    before = (await ada.member.get("/prekeys")).json()
    good, others, large = new_prekeys(ada, 2, now), new_prekeys(bob, 2, now), new_prekeys(ada, 101, now)
    forged = new_prekeys(replace_identity(ada), 2, now)
    last = good.one_time_kem[0]
    for upload in (
        b"\x01",
        good.encode()[:-1],
        good.encode() + b"\x00",
        others.encode(),
        replace(forged, identity=ada.identity.public).encode(),
        replace(good, signed=others.signed).encode(),
        replace(good, one_time_kem=(*good.one_time_kem, others.one_time_kem[0])).encode(),
        replace(good, one_time_kem=(last, last)).encode(),
        replace(good, one_time=(good.one_time[0], good.one_time[0])).encode(),
        replace(good, last_resort=replace(last, id=9)).encode(),
    ):
        answer = await ada.member.put("/prekeys", json={"prekeys": text(upload)})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_prekeys"), len(upload)
        assert answer.json()["errors"][0]["field"] == "prekeys"
    refused = await ada.member.put("/prekeys", json={"prekeys": text(large.encode())})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_prekeys")
    junk = await ada.member.put("/prekeys", json={"prekeys": text(bytes(100_000 * 36))})
    assert junk.status_code == 413
    assert (await ada.member.get("/prekeys")).json() == before
    for _ in range(POLICY.max_one_time_prekeys // 66):
        await publish_prekeys(ada, 66, now)
    full = await ada.member.put("/prekeys", json={"prekeys": text(new_prekeys(ada, 66, now).encode())})
    assert (full.status_code, full.json()["code"]) == (409, "too_many_prekeys")
    assert (await ada.member.get("/prekeys")).json()["kem"] <= POLICY.max_one_time_prekeys


def replace_identity(device: TestDevice) -> TestDevice:
    return TestDevice(device.member, device.number, IdentityKeyPair.generate(RNG))


async def test_what_is_wrong_with_key_packages_is_named(entativa: Environment) -> None:
    ada, bob = await _devices(entativa, "ada", "bob")
    now = _now(entativa)
    (good,) = key_packages(ada, 1, now)
    message = good.message()
    wrong = {
        "junk": b"\x00\x01\x00\x05",
        "another account's": key_packages(bob, 1, now)[0].message(),
        "another device's": key_packages(TestDevice(ada.member, 2, ada.identity), 1, now)[0].message(),
        "another identity's": key_packages(replace_identity(ada), 1, now)[0].message(),
        "expired": key_packages(ada, 1, now - 60 * 86_400)[0].message(),
        "altered": message[:-1] + bytes([message[-1] ^ 1]),
        "of a suite for tests": key_packages(ada, 1, now, suite=CipherSuite(0xF002))[0].message(),
    }
    for name, package in wrong.items():
        answer = await ada.member.post("/key-packages", json={"key_packages": [text(message), text(package)]})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_key_package"), name
        assert answer.json()["errors"][0]["field"] == "key_packages.1"
    for body in ([], [text(bytes(10_000))], [text(message)] * 101, ["!"], text(message)):
        assert (await ada.member.post("/key-packages", json={"key_packages": body})).status_code == 422
    for ids in ([], ["x"], [UNKNOWN] * 251):
        claim = {"account_ids": ids, "suite": SUITE}
        assert (await ada.member.post("/key-packages/claims", json=claim)).status_code == 422
    assert (await ada.member.get("/key-packages")).json() == {"items": []}
    twice = await ada.member.post("/key-packages", json={"key_packages": [text(message)] * 2})
    assert twice.json() == {"items": [{"suite": SUITE, "one_time": 1, "last_resort": False}]}
    pool = entativa.platform.database.pool
    await pool.execute(
        "insert into device_key_packages select account_id, device, suite, false, int8send(n), expires_at, package"
        " from device_key_packages, generate_series(1, $1::bigint) as n",
        POLICY.max_one_time_prekeys - 1,
    )
    full = await ada.member.post("/key-packages", json={"key_packages": [text(key_packages(ada, 1, now)[0].message())]})
    assert (full.status_code, full.json()["code"]) == (409, "too_many_key_packages")


async def test_strangers_cannot_use_up_the_keys_of_somebody(entativa: Environment) -> None:
    ada, bob, carol, dan, friend = await _devices(entativa, "ada", "bob", "carol", "dan", "friend")
    await _befriend(ada.member, friend.member)
    await publish_prekeys(ada, 70, _now(entativa))
    assert 70 > POLICY.stranger_claims_per_hour == 2 * POLICY.claims_per_hour
    for each in (bob, carol):
        for _ in range(POLICY.claims_per_hour):
            (bundle,) = await _bundles(each.member, ada.member)
            assert bundle.one_time
        refused = await _claim(each.member, ada.member.id)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_claims")
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
    (bundle,) = await _bundles(dan.member, ada.member)
    assert (bundle.one_time, bundle.kem and bundle.kem.last_resort) == (None, True)
    (bundle,) = await _bundles(friend.member, ada.member)
    assert bundle.one_time
    assert (await ada.member.get("/prekeys")).json() == {"published": True, "one_time": 9, "kem": 9}
    await publish_key_packages(ada, 1, _now(entativa))
    claim = {"account_ids": [ada.member.id], "suite": SUITE}
    for _ in range(POLICY.claims_per_hour):
        assert (await bob.member.post("/key-packages/claims", json=claim)).status_code == 200
    assert (await bob.member.post("/key-packages/claims", json=claim)).json()["code"] == "too_many_claims"


async def test_claims_get_last_resorts_while_redis_is_down() -> None:
    limits = ClaimLimits(open_redis("redis://127.0.0.1:9/0", timeout_s=0.1), "entativa", POLICY)
    asked, asker = UUID(int=1), UUID(int=2)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert await limits.count("prekeys", asker, {asked: True}, now) == {asked: Grant.LAST_RESORT}
