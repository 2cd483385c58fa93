"""Devices over HTTP: who registers, sees, binds and removes them, and what bad input gets."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from datetime import timedelta
from typing import Any
from uuid import UUID

from crypto.directory import AccountKeys
from crypto.identity import IdentityKeyPair, bind_session
from features.auth.policy import AuthPolicy
from features.devices.policy import DevicePolicy
from features.devices.service import DeviceService
from features.identity import Identity
from features.life_cycle import export_account
from tests.support.devices import RNG, TestDevice, decoded_keys, first_device_body, register_first_device, text
from tests.support.environment import Environment
from tests.support.member import Member


async def _roster(member: Member) -> dict[str, Any]:
    answer = await member.get("/devices")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _identity(member: Member) -> Identity:
    return Identity(UUID(member.id), UUID(member.tokens["session_id"]))


async def _events(environment: Environment, kind: str) -> list[dict[str, Any]]:
    rows = await environment.platform.database.pool.fetch("select payload from outbox where type = $1", kind)
    return [row["payload"] for row in rows]


async def test_a_first_device_acts_by_the_session_that_registers_it(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    assert await _roster(ada) == {"items": [], "account_keys": None, "next_number": 1}
    await entativa.drain()
    device, body = await first_device_body(ada)
    answer = await ada.post("/devices", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == "/v1/devices/1"
    shown = answer.json()
    assert (shown["number"], shown["current"]) == (1, True)
    assert shown["session_id"] == ada.tokens["session_id"]
    assert shown["identity_key"] == text(device.identity.public.encode())
    roster = await _roster(ada)
    assert (roster["items"], roster["next_number"]) == ([shown], 2)
    assert decoded_keys(roster["account_keys"]) == AccountKeys.first(device.user, {1: device.identity.public})
    assert (await ada.get("/devices/1")).json() == shown
    assert await _events(entativa, "devices.registered") == [{"account_id": ada.id, "number": 1}]

    again = await ada.post("/devices", json=body)  # its answer was lost
    assert (again.status_code, again.json()) == (201, shown)
    assert len(await _events(entativa, "devices.registered")) == 1

    elsewhere = await entativa.log_in("ada")
    assert [item["current"] for item in (await _roster(elsewhere))["items"]] == [False]
    second, _ = await first_device_body(elsewhere)
    keys = AccountKeys.first(device.user, {1: device.identity.public}).successor(
        {1: device.identity.public, 2: second.identity.public}
    )
    refused = await elsewhere.post(
        "/devices",
        json={
            "identity_key": text(second.identity.public.encode()),
            "account_keys": text(keys.encode()),
            "session_binding": second.binding(),
        },
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "devices_exist")


async def test_devices_are_the_owners_alone(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    await register_first_device(ada)
    for method, path in (("GET", "/devices/1"), ("DELETE", "/devices/1"), ("PUT", "/devices/1/session")):
        body = {"json": {"session_binding": text(bytes(64))}} if method == "PUT" else {}
        assert (await bob.request(method, path, **body)).json()["code"] == "no_such_device", (method, path)
        assert (await entativa.anonymous.request(method, path, **body)).status_code == 401, (method, path)
    assert (await _roster(bob))["items"] == []
    assert (await entativa.anonymous.get("/devices")).status_code == 401
    _, body = await first_device_body(bob)
    assert (await entativa.anonymous.post("/devices", json=body)).status_code == 401
    assert [item["number"] for item in (await _roster(ada))["items"]] == [1]


async def test_what_is_wrong_with_a_registration_is_named(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    device, body = await first_device_body(ada)
    own = {1: device.identity.public}
    other = IdentityKeyPair.generate(RNG)

    def keys(version: AccountKeys) -> str:
        return text(version.encode())

    def signed(user: str, number: int, member: Member, identity: IdentityKeyPair) -> str:
        return text(bind_session(identity, user, number, UUID(member.tokens["session_id"]).bytes, RNG))

    for field, value, code in (
        ("identity_key", text(b"\x05" + b"\xff" * 32), "bad_identity_key"),
        ("identity_key", text(b"\x06" + bytes(32)), "bad_identity_key"),
        ("identity_key", text(other.public.encode()), "bad_account_keys"),
        ("account_keys", text(b"\x01"), "bad_account_keys"),
        ("account_keys", keys(AccountKeys.first(UUID(bob.id).hex, own)), "bad_account_keys"),
        ("account_keys", keys(AccountKeys.first(device.user, {2: device.identity.public})), "bad_account_keys"),
        ("account_keys", keys(AccountKeys.first(device.user, {**own, 2: other.public})), "bad_account_keys"),
        ("account_keys", keys(AccountKeys.first(device.user, {})), "bad_account_keys"),
        ("account_keys", keys(AccountKeys.first(device.user, {}).successor(own)), "account_keys_outdated"),
        ("session_binding", text(bytes(64)), "bad_session_binding"),
        ("session_binding", signed(device.user, 1, bob, device.identity), "bad_session_binding"),
        ("session_binding", signed(device.user, 2, ada, device.identity), "bad_session_binding"),
        ("session_binding", signed(UUID(bob.id).hex, 1, ada, device.identity), "bad_session_binding"),
        ("session_binding", signed(device.user, 1, ada, other), "bad_session_binding"),
    ):
        answer = await ada.post("/devices", json={**body, field: value})
        assert answer.is_error, (field, code)
        named = "account_keys" if code == "bad_account_keys" else field
        assert (answer.json()["code"], answer.json()["errors"][0]["field"]) == (code, named)
    malformed: list[tuple[str, object]] = [
        ("identity_key", "!"),
        ("identity_key", text(bytes(32))),
        ("account_keys", text(bytes(5000))),
        ("account_keys", ""),
        ("session_binding", body["session_binding"].rstrip("=")),
        ("session_binding", "B" * 86 + "=="),  # another spelling of the same bytes
        ("session_binding", 7),
        ("number", 1),
    ]
    for field, junk in malformed:
        answer = await ada.post("/devices", json={**body, field: junk})
        assert answer.status_code == 422, (field, junk)
        assert answer.json()["errors"][0]["field"].endswith(field)
    assert (await _roster(ada))["items"] == []
    assert (await ada.post("/devices", json=body)).status_code == 201


async def test_two_first_devices_at_once_are_one(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    sessions = [ada, *[await entativa.log_in("ada") for _ in range(3)]]
    bodies = [(await first_device_body(session))[1] for session in sessions]
    answers = await asyncio.gather(
        *(session.post("/devices", json=body) for session, body in zip(sessions, bodies, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "devices_exist"}
    assert len((await _roster(ada))["items"]) == 1


async def test_a_device_goes_on_with_a_new_session(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    device = await register_first_device(ada)
    later = await entativa.log_in("ada")
    for wrong in (device.binding(), text(bytes(64))):
        answer = await later.put("/devices/1/session", json={"session_binding": wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_session_binding")
    answer = await later.put("/devices/1/session", json={"session_binding": device.binding(later)})
    assert (answer.status_code, answer.json()["current"]) == (200, True)
    assert [item["current"] for item in (await _roster(ada))["items"]] == [False]
    service = entativa.platform.service(DeviceService)
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        assert await service.device_of_session(uow, _identity(ada)) is None
        found = await service.device_of_session(uow, _identity(later))
    assert found is not None
    assert (found.number, found.identity_key) == (1, device.identity.public.encode())


async def test_a_removed_device_leaves_its_number(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    device = await register_first_device(ada)
    await entativa.drain()
    left = await ada.delete("/devices/1")
    assert left.status_code == 200
    assert (left.json()["items"], left.json()["next_number"]) == ([], 2)
    first = AccountKeys.first(device.user, {1: device.identity.public})
    assert decoded_keys(left.json()["account_keys"]) == first.successor({})
    assert await _events(entativa, "devices.removed") == [{"account_id": ada.id, "number": 1}]
    assert (await ada.delete("/devices/1")).json()["code"] == "no_such_device"

    _, body = await first_device_body(ada)
    outdated = await ada.post("/devices", json={**body, "account_keys": text(first.encode())})
    assert (outdated.status_code, outdated.json()["code"]) == (409, "account_keys_outdated")
    assert outdated.json()["current"] == {"account_keys": left.json()["account_keys"], "next_number": 2}
    assert (await register_first_device(ada)).number == 2


async def test_a_session_without_a_device_removes_one_after_a_log_in_only(entativa: Environment) -> None:
    await register_first_device(await entativa.member("ada"))
    other = await entativa.log_in("ada")
    entativa.clock.advance(AuthPolicy().recent_log_in)
    refreshed = await other.post("/auth/refresh", json={"refresh_token": other.tokens["refresh_token"]})
    other.headers = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    refused = await other.delete("/devices/1")
    assert (refused.status_code, refused.json()["code"]) == (403, "log_in_again")
    assert (await (await entativa.log_in("ada")).delete("/devices/1")).status_code == 200


async def test_a_removed_last_device_does_not_put_itself_back(entativa: Environment) -> None:
    stolen = await entativa.member("ada")
    await register_first_device(stolen)
    entativa.clock.advance(AuthPolicy().recent_log_in)
    refreshed = await stolen.post("/auth/refresh", json={"refresh_token": stolen.tokens["refresh_token"]})
    stolen.headers = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    owner = await entativa.log_in("ada")
    assert (await owner.delete("/devices/1")).status_code == 200
    _, body = await first_device_body(stolen)
    refused = await stolen.post("/devices", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "log_in_again")
    _, body = await first_device_body(owner)
    assert (await owner.post("/devices", json=body)).status_code == 201
    entativa.clock.advance(AuthPolicy().recent_log_in)
    refreshed = await owner.post("/auth/refresh", json={"refresh_token": owner.tokens["refresh_token"]})
    owner.headers = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    assert (await owner.post("/devices", json=body)).status_code == 201  # its answer was lost


async def test_sessions_do_not_take_a_device_over_without_end(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    device = await register_first_device(ada)
    sessions = [ada, await entativa.log_in("ada")]

    async def bind(session: Member) -> Any:
        return await session.put("/devices/1/session", json={"session_binding": device.binding(session)})

    for _ in range(DevicePolicy().changes_per_day + 1):
        assert (await bind(ada)).status_code == 200  # it is bound already
    assert await _events(entativa, "devices.bound") == []
    for number in range(1, DevicePolicy().changes_per_day + 1):
        assert (await bind(sessions[number % 2])).status_code == 200
    refused = await bind(sessions[1])
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_device_changes")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await bind(sessions[0])).status_code == 200
    assert len(await _events(entativa, "devices.bound")) == DevicePolicy().changes_per_day
    entativa.clock.advance(timedelta(days=1))
    assert (await bind(await entativa.log_in("ada"))).status_code == 200


async def test_devices_do_not_change_without_end(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for number in range(1, DevicePolicy().changes_per_day // 2 + 1):
        assert (await register_first_device(ada)).number == number
        assert (await ada.delete(f"/devices/{number}")).status_code == 200
    _, body = await first_device_body(ada)
    refused = await ada.post("/devices", json=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_device_changes")
    assert int(refused.headers["Retry-After"]) > 0
    entativa.clock.advance(timedelta(days=1, seconds=1))
    ada = await entativa.log_in("ada")
    last = await register_first_device(ada)
    # As if all the changes had been today's.
    pool = entativa.platform.database.pool
    await pool.execute("update device_key_versions set submitted_at = $1", entativa.clock())
    refused = await ada.delete(f"/devices/{last.number}")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_device_changes")


async def test_devices_of_many_accounts_are_one_statement(entativa: Environment) -> None:
    people = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    devices: list[TestDevice] = [await register_first_device(person) for person in people[:2]]
    assert entativa.statements(await people[0].get("/devices")) == 1
    async with entativa.platform.database.unit_of_work(read_only=True) as uow:
        service = entativa.platform.service(DeviceService)
        found = await service.devices_of(uow, [UUID(person.id) for person in people])
        assert uow.statements == 1
        assert await service.devices_of(uow, []) == {}
    assert {str(account): [device.number for device in each] for account, each in found.items()} == {
        people[0].id: [1],
        people[1].id: [1],
        people[2].id: [],
    }
    assert found[UUID(people[0].id)][0].identity_key == devices[0].identity.public.encode()


async def test_an_export_shows_devices_with_public_keys_only(vignette: Environment) -> None:
    ada = await vignette.member("ada")
    device = await register_first_device(ada)
    async with vignette.platform.database.unit_of_work() as uow:
        rows = [
            (table, row)
            async for table, row in export_account(uow, vignette.brand.features, UUID(ada.id))
            if table.startswith("device")
        ]
    assert {table for table, _ in rows} == {"devices", "device_rosters", "device_key_versions"}
    shown = next(row for table, row in rows if table == "devices")
    assert b64decode(shown["identity_key"]) == device.identity.public.encode()
