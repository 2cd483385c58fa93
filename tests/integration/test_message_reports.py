"""Reports of messages: who may report what, what is refused, and what moderators read."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from features.message_reports.policy import MessageReportPolicy
from features.message_reports.service import MessageReportService
from features.messaging.model import pair_id
from tests.integration.test_operator_commands import entativa_command
from tests.support.environment import CLUSTER_SECRET, PASSWORD, Environment
from tests.support.member import Member
from tests.support.message_reports import proven, report


async def people(environment: Environment) -> tuple[Member, Member, Member]:
    ada, bob, eve = [await environment.member(name) for name in ("ada", "bob", "eve")]
    return ada, bob, eve


def between(one: Member, other: Member) -> str:
    return str(pair_id(UUID(one.id), UUID(other.id)))


async def stored(environment: Environment) -> int:
    return int(await environment.platform.database.pool.fetchval("select count(*) from message_reports"))


async def test_a_repetition_is_answered_as_the_first_time(entativa: Environment) -> None:
    ada, bob, _ = await people(entativa)
    one, two = [proven(entativa, ada, bob, between(ada, bob)) for _ in range(2)]
    first = await report(bob, one)
    [item] = first.json()["items"]
    assert first.status_code == 201
    assert entativa.statements(first) == 4, "with that of the session"
    shown = {name: item[name] for name in ("conversation_id", "sender_account_id", "reason")}
    assert shown == {"conversation_id": between(ada, bob), "sender_account_id": ada.id, "reason": "harassment"}
    entativa.clock.advance(timedelta(minutes=1))
    again = await report(bob, one, reason="spam")
    assert (again.status_code, again.json()) == (200, first.json())
    both = await report(bob, two, one, two)
    assert both.status_code == 201
    ids = [each["id"] for each in both.json()["items"]]
    assert (ids[0], ids[1]) == (ids[2], item["id"])
    assert await stored(entativa) == 2


async def test_what_stands_between_two_people_does_not_matter(entativa: Environment) -> None:
    """Whoever has got a message can report it: a stranger, a blocked one, one who has blocked, of one who has left."""
    ada, bob, _ = await people(entativa)
    for blocker, blocked in ((ada, bob), (bob, ada)):
        assert (await blocker.put(f"/blocks/{blocked.username}")).is_success
        assert (await report(bob, proven(entativa, ada, bob, between(ada, bob)))).status_code == 201
        assert (await blocker.delete(f"/blocks/{blocked.username}")).is_success
    received = proven(entativa, ada, bob, between(ada, bob))
    assert (await ada.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert (await report(bob, received)).status_code == 201
    gone = replace(ada, id=str(uuid4()))
    absent = await report(bob, proven(entativa, gone, bob, between(gone, bob)))
    assert (absent.status_code, absent.json()["code"]) == (404, "no_such_person")
    anonymous = {"reason": "spam", "messages": [received]}
    assert (await entativa.anonymous.post("/message-reports", json=anonymous)).status_code == 401


async def test_nobody_else_reports_it_and_nothing_else_is_reported(entativa: Environment) -> None:
    ada, bob, eve = await people(entativa)
    real = proven(entativa, ada, bob, between(ada, bob))
    other = proven(entativa, ada, bob, between(ada, bob), b"nice")

    async def refused(reporter: Member, **changes: Any) -> tuple[int, str, str]:
        answer = await report(reporter, real, {**real, **changes})
        return answer.status_code, answer.json()["code"], answer.json()["errors"][0]["field"]

    unproven = 422, "message_not_proven"
    assert await refused(eve) == (*unproven, "messages.0.delivery_tag")
    assert await refused(ada) == (422, "yourself", "messages.0.sender_account_id")
    for name in ("content", "opening", "commitment"):
        assert await refused(bob, **{name: other[name]}) == (*unproven, "messages.1.opening"), name
    invented = {name: other[name] for name in ("content", "opening", "commitment")}
    for changes in (
        {"delivery_tag": other["delivery_tag"]},
        invented,
        {"sender_account_id": eve.id},
        {"conversation_id": between(eve, bob)},
        {"seq": real["seq"] + 1_000},
        {"seq": 1},
    ):
        assert await refused(bob, **changes) == (*unproven, "messages.1.delivery_tag"), changes
    key_id_changed = b64encode(bytes(36)).decode()
    assert await refused(bob, delivery_tag=key_id_changed) == (
        *(422, "delivery_key_replaced"),
        "messages.1.delivery_tag",
    )
    assert await stored(entativa) == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reason": "none"}, "reason"),
        ({"reason": None}, "reason"),
        ({"messages": []}, "messages"),
        ({"messages": [{}] * 11}, "messages"),
        ({"messages": [{}]}, "messages.0.conversation_id"),
        ({"messages": None}, "messages"),
    ],
)
async def test_bad_input_is_named(entativa: Environment, changes: dict[str, Any], field: str) -> None:
    ada = await entativa.member("ada")
    answer = await ada.post("/message-reports", json={"reason": "spam", "messages": [], **changes})
    assert answer.status_code == 422
    assert field in [each["field"] for each in answer.json()["errors"]]


async def test_parts_of_a_wrong_form_are_named(entativa: Environment) -> None:
    ada, bob, _ = await people(entativa)
    real = proven(entativa, ada, bob, between(ada, bob))
    long = b64encode(bytes(64 * 1024 + 1)).decode()
    for name, value in (
        ("seq", 0),
        ("seq", 2**53),
        ("opening", b64encode(bytes(31)).decode()),
        ("commitment", "%"),
        ("content", ""),
        ("content", long),
        ("delivery_tag", b64encode(bytes(32)).decode()),
        ("sender_account_id", "ada"),
        ("more", 1),
    ):
        answer = await report(bob, {**real, name: value})
        assert answer.status_code == 422, name
        assert f"messages.0.{name}" in [each["field"] for each in answer.json()["errors"]]
    assert await stored(entativa) == 0


async def test_reports_of_a_day_are_limited(entativa: Environment) -> None:
    ada, bob, _ = await people(entativa)
    service = entativa.platform.service(MessageReportService)
    entativa.platform.services[MessageReportService] = replace(service, policy=MessageReportPolicy(max_a_day=3))
    first = proven(entativa, ada, bob, between(ada, bob))
    assert (await report(bob, first)).is_success
    entativa.clock.advance(timedelta(hours=23))
    bob = await entativa.log_in("bob")
    more = [proven(entativa, ada, bob, between(ada, bob)) for _ in range(3)]
    refused = await report(bob, *more)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_message_reports")
    assert int(refused.headers["Retry-After"]) in range(3_500, 3_700)
    assert (await report(bob, *more[:2])).status_code == 201
    assert (await report(bob, first)).status_code == 200
    assert (await report(bob, more[2])).status_code == 429
    entativa.clock.advance(timedelta(hours=2))
    bob = await entativa.log_in("bob")
    assert (await report(bob, more[2])).status_code == 201
    assert await stored(entativa) == 4


async def test_moderators_read_what_proves_itself(entativa: Environment, tmp_path: Path) -> None:
    ada, bob, _ = await people(entativa)
    for body in (b"vile", b"viler"):
        assert (await report(bob, proven(entativa, ada, bob, between(ada, bob), body))).status_code == 201
        entativa.clock.advance(timedelta(minutes=1))

    def shown(*arguments: str) -> list[dict[str, Any]]:
        done = entativa_command(entativa, tmp_path, "reports", *arguments, ENTATIVA_CLUSTER_SECRET=CLUSTER_SECRET)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    newest, oldest = shown("list", "entativa")
    assert (newest["reporter_account_id"], newest["sender_account_id"], newest["proven"]) == (bob.id, ada.id, True)
    assert shown("list", "entativa", "--limit", "1") == [newest]
    assert shown("list", "entativa", "--before", newest["id"]) == [oldest]
    assert "vile" not in str(newest)
    assert shown("show", "entativa", newest["id"]) == [{**newest, "content": "viler"}]
    alter = "update message_reports set content = $2 where id = $1"
    await entativa.platform.database.pool.execute(alter, UUID(newest["id"]), b"something else")
    assert shown("show", "entativa", newest["id"]) == [{**newest, "proven": False, "content": None}]
    absent = entativa_command(
        entativa, tmp_path, "reports", "show", "entativa", str(uuid4()), ENTATIVA_CLUSTER_SECRET=CLUSTER_SECRET
    )
    assert (absent.returncode, absent.stdout) == (1, "")
    assert "There is no such report." in absent.stderr
    noted = [json.loads(line) for line in (tmp_path / "logs" / "reports.log").read_text().splitlines()]
    assert [line["report_id"] for line in noted if line["event"] == "reports"] == [newest["id"]] * 2
