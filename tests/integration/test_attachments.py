"""Attachments on the platform: uploaded by parts, read by whoever knows the id, and gone when they expire."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from cluster.retention import sweep as sweep_rows
from features.attachments.erasure import erase
from features.attachments.feature import ATTACHMENTS
from features.attachments.model import GARBAGE_DELAY, PART_BYTES
from features.attachments.policy import AttachmentPolicy
from features.attachments.service import AttachmentService
from tests.support.attachments import begin_attachment, put_part, upload_attachment
from tests.support.environment import Environment
from tests.support.uploads import stored, sweep


async def objects(environment: Environment) -> set[str]:
    """The objects of attachments, once what is garbage is deleted."""
    await sweep(environment)
    return {key for key in stored(environment) if key.startswith("attachments/")}


def set_policy(environment: Environment, **changes: Any) -> None:
    service = environment.platform.service(AttachmentService)
    environment.platform.services[AttachmentService] = replace(service, policy=replace(service.policy, **changes))


async def test_who_knows_the_id_reads_what_was_uploaded(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    data = os.urandom(2 * PART_BYTES + 77)
    begun = await begin_attachment(ada, len(data))
    path, half = f"/attachments/{begun['id']}", data[:PART_BYTES]
    assert (begun["received"], begun["size"], begun["part_size"]) == (0, len(data), PART_BYTES)
    assert (await put_part(ada, begun["id"], 0, half)).json()["received"] == PART_BYTES
    for reader in (ada, bob):  # not before all of it is there
        assert (await reader.get(f"{path}/content")).json()["code"] == "no_such_attachment"
    assert (await ada.get(path)).json()["received"] == PART_BYTES
    await put_part(ada, begun["id"], 0, bytes(PART_BYTES))  # a repetition, which changes nothing
    await put_part(ada, begun["id"], 1, data[PART_BYTES : 2 * PART_BYTES])
    last = await asyncio.gather(*(put_part(ada, begun["id"], 2, data[2 * PART_BYTES :]) for _ in range(3)))
    assert {(answer.status_code, answer.json()["received"]) for answer in last} == {(200, len(data))}

    whole = await bob.get(f"{path}/content")
    assert (whole.content == data, entativa.statements(whole)) == (True, 1)
    for start, end in ((0, 9), (PART_BYTES - 5, PART_BYTES + 5), (10, 2 * PART_BYTES + 10), (len(data) - 3, len(data))):
        some = await bob.get(f"{path}/content", headers={"Range": f"bytes={start}-{end - 1}"})
        assert (some.status_code, some.content == data[start:end]) == (206, True)
    beyond = await bob.get(f"{path}/content", headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")


async def test_only_who_uploads_it_continues_and_deletes_it(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    done, begun = await upload_attachment(ada, b"sealed"), await begin_attachment(ada, 3)
    await bob.put("/blocks/ada")  # the id permits to read, whoever is apart
    assert (await bob.get(f"/attachments/{done}/content")).content == b"sealed"
    for answer in (
        await bob.get(f"/attachments/{done}"),
        await bob.delete(f"/attachments/{done}"),
        await put_part(bob, begun["id"], 0, b"own"),
        await bob.get(f"/attachments/{uuid4()}/content"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_attachment")
    for answer in (
        await entativa.anonymous.post("/attachments", json={"size": 3}),
        await entativa.anonymous.get(f"/attachments/{done}"),
        await entativa.anonymous.get(f"/attachments/{done}/content"),
        await entativa.anonymous.delete(f"/attachments/{done}"),
        await put_part(entativa.anonymous, begun["id"], 0, b"own"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    assert (await ada.delete(f"/attachments/{done}")).status_code == 204
    assert (await bob.get(f"/attachments/{done}/content")).status_code == 404
    assert (await ada.delete(f"/attachments/{done}")).status_code == 404
    entativa.clock.advance(GARBAGE_DELAY)
    assert not await objects(entativa)


@pytest.mark.parametrize(
    ("number", "data", "status", "code"),
    [
        (0, b"short", 422, "wrong_attachment_part_size"),
        (0, bytes(PART_BYTES + 1), 422, "wrong_attachment_part_size"),
        (1, b"x", 409, "attachment_part_out_of_order"),
        (7, b"x", 409, "attachment_part_out_of_order"),
        (-1, b"x", 422, "invalid_input"),
    ],
)
async def test_a_bad_part_is_refused(entativa: Environment, number: int, data: bytes, status: int, code: str) -> None:
    ada = await entativa.member("ada")
    begun = await begin_attachment(ada, PART_BYTES + 1)
    answer = await put_part(ada, begun["id"], number, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().get("current", {"received": 0}) == {"received": 0}
    assert not await objects(entativa)


async def test_attachments_have_bounds(entativa: Environment) -> None:
    ada, bob = await entativa.member("ada"), await entativa.member("bob")
    large = await ada.post("/attachments", json={"size": AttachmentPolicy().max_bytes + 1})
    assert (large.status_code, large.json()["code"], large.json()["errors"][0]["field"]) == (
        413,
        "attachment_too_large",
        "size",
    )
    for size in (0, -1, "much", None):
        assert (await ada.post("/attachments", json={"size": size})).json()["code"] == "invalid_input"
    set_policy(entativa, max_bytes_per_account=10, max_per_account=2)
    first = await begin_attachment(ada, 7)
    full = await ada.post("/attachments", json={"size": 4})
    assert (full.status_code, full.json()["code"]) == (409, "attachments_full")
    await begin_attachment(bob, 10)  # has room of his own
    await begin_attachment(ada, 1)
    assert (await ada.post("/attachments", json={"size": 1})).json()["code"] == "attachments_full"
    await ada.delete(f"/attachments/{first['id']}")
    await begin_attachment(ada, 9)


async def test_what_expires_is_gone_from_everywhere(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    done, begun = await upload_attachment(ada, b"sealed"), await begin_attachment(ada, PART_BYTES + 1)
    await put_part(ada, begun["id"], 0, bytes(PART_BYTES))
    assert len(await objects(entativa)) == 2
    policy = AttachmentPolicy()
    entativa.clock.advance(policy.upload_lifetime + GARBAGE_DELAY)
    ada = await entativa.log_in("ada")
    late = await put_part(ada, begun["id"], 1, b"x")
    assert (late.status_code, late.json()["code"]) == (404, "no_such_attachment")
    assert len(await objects(entativa)) == 1
    assert (await ada.get(f"/attachments/{done}/content")).content == b"sealed"
    entativa.clock.advance(policy.lifetime - policy.upload_lifetime)
    ada = await entativa.log_in("ada")
    assert (await ada.get(f"/attachments/{done}/content")).status_code == 404
    assert not await objects(entativa)
    assert await sweep_rows(entativa.platform.database, ATTACHMENTS.tables, entativa.clock()) == 2


async def test_an_erased_account_leaves_nothing_in_storage(entativa: Environment) -> None:
    ada = await entativa.member("ada")
    for data in (b"one", b"two", b"three"):
        await upload_attachment(ada, data)
    more, rounds = True, 0
    while more:
        async with entativa.platform.database.unit_of_work() as uow:
            more = await erase(uow, UUID(ada.id), 2, entativa.clock())
            await uow.commit()
        rounds += 1
    assert rounds == 2
    entativa.clock.advance(GARBAGE_DELAY)
    assert not await objects(entativa)
