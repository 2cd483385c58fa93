"""Backups on the platform: segments stored once, versions by compare-and-swap, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from features.backups.erasure import erase
from features.backups.model import MAX_HEADER_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENTS
from features.backups.policy import BackupPolicy
from features.backups.service import BackupService
from tests.support.backups import HEADER, name_of, put_segments, write_backup
from tests.support.devices import text
from tests.support.environment import Environment
from tests.support.member import Member
from tests.support.uploads import stored, sweep


async def read(member: Member) -> dict[str, Any]:
    answer = await member.get("/backup")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def objects(environment: Environment) -> set[str]:
    """The objects of backups, once what is garbage is deleted."""
    environment.clock.advance(timedelta(hours=25))
    await sweep(environment)
    return {key for key in stored(environment) if key.startswith("backups/")}


async def test_a_backup_grows_and_what_it_no_longer_names_is_deleted(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    assert await read(ada) == {"version": 0, "header": None, "segments": [], "updated_at": None}
    first, second, third = b"one" * 100, b"two" * 100, b"three" * 100
    names = await put_segments(ada, first, second)
    assert (await write_backup(ada, 0, names)).json() == {"version": 1}
    found = await ada.get("/backup")
    assert found.json()["segments"] == [
        {"digest": name_of(first), "size": 300},
        {"digest": name_of(second), "size": 300},
    ]
    assert (found.json()["header"], entativa.statements(found)) == (text(HEADER), 1)
    assert (await ada.get(f"/backup/segments/{name_of(second)}")).content == second

    grown = [names[0], *await put_segments(ada, third)]  # the second one is replaced; the first is not sent again
    assert (await write_backup(ada, 1, grown, b"other")).json() == {"version": 2}
    assert [each["digest"] for each in (await read(ada))["segments"]] == grown
    gone = await ada.get(f"/backup/segments/{names[1]}")
    assert (gone.status_code, gone.json()["code"]) == (404, "no_such_backup_segment")
    assert len(await objects(entativa)) == 2

    ada = await entativa.log_in("ada")
    assert (await ada.delete("/backup")).status_code == 204
    assert (await ada.delete("/backup")).status_code == 204
    assert (await read(ada))["version"] == 0
    assert not await objects(entativa)


async def test_of_two_devices_that_write_at_once_one_is_told_to_read(entativa: Environment) -> None:
    ada, other = await entativa.member("ada"), await entativa.log_in("ada")
    one, two = await put_segments(ada, b"of one"), await put_segments(other, b"of the other")
    for based_on in (0, 1):
        answers = await asyncio.gather(write_backup(ada, based_on, one), write_backup(other, based_on, two))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        refused = next(answer for answer in answers if answer.status_code == 409).json()
        assert (refused["code"], refused["current"]) == ("backup_changed", {"version": based_on + 1})
        winner = one if answers[0].status_code == 200 else two
        assert [each["digest"] for each in (await read(ada))["segments"]] == winner
        await put_segments(ada, b"of one", b"of the other")  # whichever was deleted as the backup of the other


async def test_a_segment_that_waits_to_be_named_survives_another_version(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    (waiting,) = await put_segments(ada, b"of a slow device")
    assert (await write_backup(ada, 0, await put_segments(ada, b"quick"))).is_success
    assert (await write_backup(ada, 1, [waiting])).is_success
    await put_segments(ada, b"never named")
    entativa.clock.advance(BackupPolicy().unnamed_lifetime + timedelta(seconds=1))
    ada = await entativa.log_in("ada")
    assert (await write_backup(ada, 2, [waiting])).is_success
    refused = await write_backup(ada, 3, [waiting, name_of(b"never named")])
    assert (refused.status_code, refused.json()["code"]) == (409, "backup_segments_missing")
    assert (await read(ada))["version"] == 3
    assert len(await objects(entativa)) == 1


async def test_the_same_segment_is_stored_once(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    await asyncio.gather(*(put_segments(ada, b"once") for _ in range(5)))
    await put_segments(ada, b"once")
    assert (await write_backup(ada, 0, [name_of(b"once")])).is_success
    assert len(await objects(entativa)) == 1


async def test_nobody_else_has_it(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    names = await put_segments(ada, b"hers")
    assert (await write_backup(ada, 0, names)).is_success
    assert (await read(bob))["version"] == 0
    assert (await bob.get(f"/backup/segments/{names[0]}")).json()["code"] == "no_such_backup_segment"
    assert (await write_backup(bob, 0, names)).json()["code"] == "backup_segments_missing"
    await put_segments(bob, b"hers")  # the same bytes are another's own
    assert (await bob.delete("/backup")).is_success
    assert (await ada.get(f"/backup/segments/{names[0]}")).content == b"hers"
    for answer in (
        await entativa.anonymous.get("/backup"),
        await entativa.anonymous.delete("/backup"),
        await write_backup(entativa.anonymous, 0, names),
        await entativa.anonymous.put(f"/backup/segments/{names[0]}", content=b"hers"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


@pytest.mark.parametrize(
    ("path", "content", "status", "code"),
    [
        (name_of(b"one"), b"other", 422, "wrong_backup_digest"),
        (name_of(b""), b"", 422, "empty_backup_segment"),
        ("A" * 64, b"one", 422, "invalid_input"),
        (name_of(b"x" * (MAX_SEGMENT_BYTES + 1)), b"x" * (MAX_SEGMENT_BYTES + 1), 413, "backup_segment_too_large"),
    ],
)
async def test_a_bad_segment_is_refused(
    entativa: Environment, path: str, content: bytes, status: int, code: str
) -> None:
    ada = await entativa.member("ada")
    answer = await ada.put(f"/backup/segments/{path}", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not await objects(entativa)


async def test_a_backup_names_a_segment_once_and_has_a_quota(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    names = await put_segments(ada, b"one")
    refused = (await write_backup(ada, 0, names * 2)).json()
    assert (refused["code"], refused["errors"][0]["field"]) == ("repeated_backup_segment", "segments")
    service = entativa.platform.service(BackupService)
    small = replace(service, policy=BackupPolicy(max_bytes=10))
    entativa.platform.services[BackupService] = small
    await put_segments(ada, b"1234567")
    full = await ada.put(f"/backup/segments/{name_of(b'x')}", content=b"x")
    assert (full.status_code, full.json()["code"]) == (409, "backup_full")
    await put_segments(ada, b"one")  # is there already


async def test_uploads_at_once_keep_to_the_quota(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    service = entativa.platform.service(BackupService)
    entativa.platform.services[BackupService] = replace(service, policy=BackupPolicy(max_bytes=30))
    parts = [bytes([number]) * 10 for number in range(8)]
    answers = await asyncio.gather(*(ada.put(f"/backup/segments/{name_of(part)}", content=part) for part in parts))
    assert sorted(answer.status_code for answer in answers) == [204] * 3 + [409] * 5
    kept = [name_of(part) for part, answer in zip(parts, answers, strict=True) if answer.is_success]
    assert (await write_backup(ada, 0, kept)).is_success


async def test_the_longest_list_of_segments_is_refused_for_what_is_missing(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    names = [name_of(str(number).encode()) for number in range(MAX_SEGMENTS)]
    refused = await write_backup(ada, 0, names, bytes(MAX_HEADER_BYTES))
    assert (refused.status_code, refused.json()["code"]) == (409, "backup_segments_missing")
    for body in (
        {"based_on": 0, "header": text(bytes(MAX_HEADER_BYTES + 1)), "segments": []},
        {"based_on": 0, "header": text(HEADER), "segments": [*names, "0" * 64]},
        {"based_on": 2**53, "header": text(HEADER), "segments": []},
        {"based_on": 0, "header": "?", "segments": []},
    ):
        answer = await ada.put("/backup", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_an_erased_account_leaves_nothing_in_storage(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    assert (await write_backup(ada, 0, await put_segments(ada, b"one", b"two", b"three"))).is_success
    more, rounds = True, 0
    while more:
        async with entativa.platform.database.unit_of_work() as uow:
            more = await erase(uow, UUID(ada.id), 2, entativa.clock())
            await uow.commit()
        rounds += 1
    assert rounds == 2
    assert not await objects(entativa)
