"""A further device comes into an account when one that is there approves it, and by no other way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from crypto.directory import AccountKeys
from crypto.identity import IdentityKeyPair
from features.devices.policy import DevicePolicy
from tests.support.devices import (
    RNG,
    TestDevice,
    approve_link,
    create_link,
    decoded_keys,
    link_body,
    link_device,
    register_first_device,
    successor,
    text,
)
from tests.support.environment import Environment
from tests.support.member import Member

POLICY = DevicePolicy()


async def _keys(member: Member) -> AccountKeys:
    keys = decoded_keys((await member.get("/devices")).json()["account_keys"])
    assert keys is not None
    return keys


async def test_a_device_is_linked_by_another_one(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    laptop_session = await entativa.log_in("ada")
    laptop, link = await create_link(laptop_session)
    assert (link["number"], link["sealed_box"]) == (None, None)
    assert (await phone.member.get("/device-links")).json() == {"items": [link]}
    assert (await phone.member.get(f"/device-links/{link['id']}")).json() == link
    assert [item["number"] for item in (await phone.member.get("/devices")).json()["items"]] == [1]

    approved = await approve_link(phone, link, laptop, sealed_box=b"for the laptop")
    assert approved.status_code == 200, approved.text
    assert (approved.json()["number"], approved.json()["sealed_box"]) == (2, None)
    found = (await laptop_session.get(f"/device-links/{link['id']}")).json()
    assert (found["number"], found["sealed_box"]) == (2, text(b"for the laptop"))
    devices = (await laptop_session.get("/devices")).json()
    assert [(item["number"], item["current"]) for item in devices["items"]] == [(1, False), (2, True)]
    assert dict((await _keys(phone.member)).devices) == {1: phone.identity.public, 2: laptop.identity.public}
    rows = await entativa.platform.database.pool.fetch("select payload from outbox where type = 'devices.registered'")
    assert [row["payload"]["number"] for row in rows][-1:] == [2]

    third_session = await entativa.log_in("ada")
    third = await link_device(TestDevice(laptop_session, 2, laptop.identity), third_session)
    assert third.number == 3
    assert (await phone.member.delete("/devices/2")).status_code == 200
    assert (await link_device(phone, await entativa.log_in("ada"))).number == 4


async def test_the_same_approval_again_changes_nothing(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    laptop, link = await create_link(await entativa.log_in("ada"))
    body = {"account_keys": text((await _keys_with(phone, laptop)).encode()), "sealed_box": text(b"box")}
    path = f"/device-links/{link['id']}/approval"
    answers = await asyncio.gather(*(phone.member.post(path, json=body) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.text for answer in answers}) == 1
    assert len((await phone.member.get("/devices")).json()["items"]) == 2
    await link_device(phone, await entativa.log_in("ada"))
    late = await phone.member.post(path, json=body)
    assert (late.status_code, late.json()["code"]) == (404, "no_such_device_link")


async def _keys_with(phone: TestDevice, other: TestDevice) -> AccountKeys:
    return successor(await _keys(phone.member), TestDevice(phone.member, 2, other.identity))


async def test_who_may_see_and_approve_a_link(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    strange = await register_first_device(await entativa.member("bob"))
    without_device = await entativa.log_in("ada")
    waiting = await entativa.log_in("ada")
    laptop, link = await create_link(waiting)
    path = f"/device-links/{link['id']}"
    body = {"account_keys": text((await _keys_with(phone, laptop)).encode()), "sealed_box": ""}

    async def check(member: Member, status: int, code: str, *requests: httpx.Response) -> None:
        for answer in requests:
            assert (answer.status_code, answer.json()["code"]) == (status, code), (member.username, answer.request.url)

    for member in (without_device, waiting):  # a password alone adds no device, nor does the new one itself
        await check(member, 409, "not_a_device", await member.post(f"{path}/approval", json=body))
        assert (await member.get(path)).status_code == 200
    for member, status, code in (
        (strange.member, 404, "no_such_device_link"),
        (entativa.anonymous, 401, "sign_in_required"),
    ):
        requests = (await member.get(path), await member.delete(path), await member.post(f"{path}/approval", json=body))
        await check(member, status, code, *requests)
    assert (await strange.member.get("/device-links")).json() == {"items": []}
    assert (await phone.member.delete(path)).status_code == 204
    for answer in (await waiting.get(path), await phone.member.post(f"{path}/approval", json=body)):
        assert answer.json()["code"] == "no_such_device_link"
    assert len((await phone.member.get("/devices")).json()["items"]) == 1


async def test_a_link_expires_and_is_replaced(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    waiting = await entativa.log_in("ada")
    _, first = await create_link(waiting)
    laptop, second = await create_link(waiting)
    assert (await waiting.get("/device-links")).json() == {"items": [second]}
    assert (await waiting.get(f"/device-links/{first['id']}")).status_code == 404
    entativa.clock.advance(POLICY.link_lifetime + timedelta(seconds=1))
    late = await approve_link(phone, second, laptop)
    assert (late.status_code, late.json()["code"]) == (404, "no_such_device_link")
    assert (await waiting.get("/device-links")).json() == {"items": []}


async def test_what_is_wrong_with_a_link_is_named(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    waiting = await entativa.log_in("ada")
    device, body = link_body(waiting)
    wrong: list[tuple[str, Any, str]] = [
        ("identity_key", text(b"\x06" + bytes(32)), "bad_identity_key"),
        ("session_binding", text(bytes(64)), "bad_session_binding"),
        ("session_binding", TestDevice(waiting, 1, device.identity).binding(), "bad_session_binding"),
        ("session_binding", device.binding(phone.member), "bad_session_binding"),
        ("ephemeral_key", text(bytes(31)), "invalid_request"),
    ]
    for field, value, code in wrong:
        answer = await waiting.post("/device-links", json={**body, field: value})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert code == "invalid_request" or answer.json()["code"] == code
    _, body = link_body(phone.member)
    refused = await phone.member.post("/device-links", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_has_device")

    device, link = await create_link(waiting)
    good = await _keys_with(phone, device)
    other = IdentityKeyPair.generate(RNG).public
    newest = await _keys(phone.member)
    path = f"/device-links/{link['id']}/approval"
    for keys, code in (
        (newest, "account_keys_outdated"),
        (AccountKeys.first(phone.user, dict(good.devices)), "account_keys_outdated"),
        (newest.successor({1: phone.identity.public, 2: other}), "bad_account_keys"),
        (newest.successor({1: phone.identity.public, 3: device.identity.public}), "bad_account_keys"),
        (newest.successor({2: device.identity.public}), "bad_account_keys"),
    ):
        answer = await phone.member.post(path, json={"account_keys": text(keys.encode()), "sealed_box": ""})
        assert answer.json()["code"] == code
        assert answer.json()["errors"][0]["field"] == "account_keys"
    too_large = await phone.member.post(
        path, json={"account_keys": text(good.encode()), "sealed_box": text(bytes(64 * 1024 + 3))}
    )
    assert too_large.status_code == 422
    assert (await waiting.get(f"/device-links/{link['id']}")).json() == link
    await approve_link(phone, link, device)
    twice = await waiting.post("/device-links", json=link_body(waiting)[1])
    assert (twice.status_code, twice.json()["code"]) == (409, "session_has_device")


async def test_an_account_has_so_many_devices(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    for _ in range(POLICY.max_devices - 1):
        await link_device(phone, await entativa.log_in("ada"))
    device, link = await create_link(await entativa.log_in("ada"))
    refused = await approve_link(phone, link, device)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_devices")
    for number in range(2, POLICY.changes_per_day - POLICY.max_devices + 2):
        assert (await phone.member.delete(f"/devices/{number}")).status_code == (200 if number <= 10 else 404)
    last = await link_device(phone, await entativa.log_in("ada"))
    assert last.number == POLICY.max_devices + 1
    device, link = await create_link(await entativa.log_in("ada"))
    refused = await approve_link(phone, link, device)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_device_changes")


async def test_a_session_that_got_a_device_meanwhile_gets_no_other(entativa: Environment) -> None:
    phone = await register_first_device(await entativa.member("ada"))
    waiting = await entativa.log_in("ada")
    device, link = await create_link(waiting)
    answer = await waiting.put("/devices/1/session", json={"session_binding": phone.binding(waiting)})
    assert answer.status_code == 200
    approver = TestDevice(waiting, 1, phone.identity)
    refused = await approve_link(approver, link, device)
    assert (refused.status_code, refused.json()["code"]) == (409, "session_has_device")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_links_that_never_were_are_not_found(entativa: Environment, method: str) -> None:
    ada = await entativa.member("ada")
    answer = await ada.request(method, f"/device-links/{UUID(int=7)}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_device_link")
