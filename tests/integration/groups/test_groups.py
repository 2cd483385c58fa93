"""Groups over HTTP: founding, commits, messages, and one inbox for all."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any
from uuid import uuid4

import pytest

from crypto.mls import Add, Group, GroupContextExtensions, Remove, Role, Roles
from features.messaging.policy import MessagingPolicy
from tests.integration.groups.conftest import Groups
from tests.support.devices import text
from tests.support.environment import Environment


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_members_read_what_is_said_in_the_group(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    sent = await ada.send(id, b"Hello")
    assert sent.status_code == 200, sent.text
    assert Environment.statements(sent) == 0, "the gateway asks Postgres nothing"
    assert (await bob.send(id, b"Hi")).status_code == 200
    assert [await each.read() for each in (ada, bob, cara)] == [[b"Hi"], [b"Hello"], [b"Hello", b"Hi"]]
    assert [await each.inbox() for each in (ada, bob, cara)] == [[], [], []]
    assert await opened.fetchval("select count(*) from group_messages where content = 'application'") == 2
    assert await opened.fetchval("select count(*) from group_joiners") == 0
    group = (await bob.member.get(f"/groups/{id}")).json()
    assert (group["epoch"], group["members"], group["role"]) == (1, 3, "member")
    [listed] = (await ada.member.get("/groups")).json()["items"]
    assert (listed["id"], listed["role"]) == (id, "owner")
    authenticators = {each.groups[id].epoch_authenticator for each in (ada, bob, cara)}
    assert len(authenticators) == 1


async def test_the_inbox_has_people_and_groups_in_one_order(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    conversation = (await ada.member.post("/conversations", json={"account_id": bob.member.id})).json()["id"]
    payload = {"account_id": bob.member.id, "device": 1, "envelope": "3q2+7w=="}
    for number in range(2):
        assert (await ada.send(id, b"%d" % number)).is_success
        body = {"client_id": str(uuid4()), "payloads": [payload]}
        assert (await ada.member.post(f"/conversations/{conversation}/messages", json=body)).is_success
    items = await bob.inbox()
    assert [item["kind"] for item in items] == ["group", "pair", "group", "pair"]
    assert [item["content"] for item in items] == ["application", None, "application", None]
    assert items[2]["previous"] == items[0]["seq"]
    page = await bob.member.get("/messaging/inbox", params={"limit": 3})
    assert (page.json()["items"], Environment.statements(page)) == (items[:3], 3)
    rest = await bob.member.get("/messaging/inbox", params={"limit": 3, "cursor": page.json()["next_cursor"]})
    assert rest.json()["items"] == items[3:]
    await bob.acknowledge(*items[:2])
    assert await bob.inbox() == items[2:]
    await bob.acknowledge(*items)
    assert await bob.inbox() == []


@pytest.mark.parametrize("messaging_policy", [MessagingPolicy(max_page_bytes=300)])
async def test_large_messages_end_a_page_of_the_inbox(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    conversation = (await ada.member.post("/conversations", json={"account_id": bob.member.id})).json()["id"]
    payload = {"account_id": bob.member.id, "device": 1, "envelope": b64encode(bytes(200)).decode()}
    for _ in range(3):
        assert (await ada.send(id, bytes(100))).is_success
        body = {"client_id": str(uuid4()), "payloads": [payload]}
        assert (await ada.member.post(f"/conversations/{conversation}/messages", json=body)).is_success
    seen: list[tuple[str, int]] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": 500, "cursor": cursor} if cursor else {"limit": 500}
        page = (await bob.member.get("/messaging/inbox", params=params)).json()
        assert len(page["items"]) <= 2, "the second one has made it large"
        seen += [(item["kind"], item["seq"]) for item in page["items"]]
        cursor = page["next_cursor"]
    assert [kind for kind, _ in seen] == ["group", "pair"] * 3
    assert seen == sorted(seen, key=lambda each: each[1])
    assert (await bob.member.get("/messaging/inbox", params={"limit": 501})).status_code == 422


async def test_one_commit_ends_an_epoch_and_a_late_one_is_told_what_it_missed(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    commits = [each.commit(id) for each in (ada, bob, cara)]
    answers = await asyncio.gather(*(each.post(commit) for each, commit in zip((ada, bob, cara), commits, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    won = next(place for place, answer in enumerate(answers) if answer.status_code == 200)
    people = [ada, bob, cara]
    people[won].groups[id].apply(commits[won])
    for place, answer in enumerate(answers):
        if place != won:
            assert problem(answer) == (409, "epoch_outdated")
            current = answer.json()["current"]
            assert (current["epoch"], [each["seq"] for each in current["commits"]]) == (
                2,
                [answers[won].json()["seq"]],
            )
            await people[place].read()
    assert len({each.groups[id].epoch_authenticator for each in people}) == 1
    assert await opened.fetchval("select count(*) from group_messages where content = 'commit'") == 2


async def test_the_same_commit_is_answered_the_same(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    commit, client_id = ada.commit(id), str(uuid4())
    answers = await asyncio.gather(*(ada.post(commit, client_id) for _ in range(4)))
    assert {answer.text for answer in answers} == {answers[0].text}, answers[0].text
    assert answers[0].status_code == 200
    opened.host.forget_group(id)
    ada.groups[id].apply(commit)
    await ada.accept(id)
    assert (await ada.post(commit, client_id)).json() == answers[0].json()
    other = bob.groups[id].commit(now=bob.now, group_info=True, tree_in_welcome=False)
    assert problem(await bob.post(other)) == (409, "epoch_outdated")
    await bob.read()
    assert bob.groups[id].epoch == ada.groups[id].epoch == 3


async def test_a_message_is_sent_once(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    sealed, client_id = ada.groups[id].encrypt(b"Hello"), str(uuid4())
    answers = await asyncio.gather(*(ada.send_sealed(id, sealed, client_id) for _ in range(4)))
    opened.host.forget_group(id)
    answers.append(await ada.send_sealed(id, sealed, client_id))
    assert {answer.text for answer in answers} == {answers[0].text}
    reused = await ada.send(id, b"something else", client_id)
    assert problem(reused) == (409, "group_message_id_reused")
    assert reused.json()["current"] == answers[0].json()
    await ada.accept(id)
    assert (await ada.send_sealed(id, sealed, client_id)).text == answers[0].text, "also in a later epoch"
    assert await bob.read() == [b"Hello"]


async def test_a_welcome_is_released_with_its_commit_to_those_whom_it_is_for(opened: Groups) -> None:
    ada, bob, cara = await opened.people("ada", "bob", "cara")
    id = await ada.found()
    packages = await ada.claim(bob)
    lost = ada.commit(id, *map(Add, packages))
    assert await bob.inbox() == []
    await ada.accept(id)
    assert problem(await ada.post(lost)) == (409, "epoch_outdated")
    assert await bob.inbox() == []
    await ada.accept(id, *map(Add, packages))
    [item] = await bob.inbox()
    assert (item["content"], item["epoch"], item["sender_account_id"]) == ("welcome", 2, ada.member.id)
    assert await cara.inbox() == []
    assert await bob.read() == []
    assert (await bob.send(id, b"Here I am")).is_success
    assert await ada.read() == [b"Here I am"]
    assert await opened.fetchval("select count(*) from group_staged_changes") == 0


async def test_who_was_removed_reads_that_and_no_more(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    leaf = cara.groups[id].own_leaf
    await ada.accept(id, Remove(leaf))
    assert (await ada.send(id, b"Now among us")).is_success
    [item] = await cara.inbox()
    assert item["content"] == "commit"
    assert problem(await cara.send(id, b"Still here")) == (404, "no_such_group")
    assert problem(await cara.member.get(f"/groups/{id}")) == (404, "no_such_group")
    assert await cara.read() == []
    assert not cara.groups[id].active
    assert await cara.inbox() == []
    assert await opened.fetchval("select count(*) from group_devices where group_id = $1", id) == 2
    assert await bob.read() == [b"Now among us"]
    await cara.publish()
    await ada.add(id, cara)
    assert await cara.read() == []
    assert (await cara.send(id, b"Back again")).is_success
    assert await bob.read() == [b"Back again"]


async def test_a_further_device_joins_by_itself_and_a_stranger_does_not(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    [eve] = await opened.people("eve")
    assert problem(await eve.member.get(f"/groups/{id}/group-info")) == (404, "no_such_group")
    joined = await ada.external_join(id, resync=ada.groups[id].own_leaf)
    assert joined.status_code == 200, joined.text
    await bob.read()
    assert (await ada.send(id, b"From a new state")).is_success
    assert await bob.read() == [b"From a new state"]
    [listed] = (await ada.member.get("/groups")).json()["items"]
    assert (listed["role"], listed["members"]) == ("owner", 2)


async def test_what_was_proposed_is_committed_by_another(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    [cara] = await opened.people("cara")
    [package] = await ada.claim(cara)
    proposal = ada.groups[id].propose_add(package, now=ada.now)
    body = {"client_id": str(uuid4()), "message": text(proposal)}
    for _ in range(2):
        proposed = await ada.member.post("/group-changes", json=body)
        assert (proposed.status_code, proposed.json()["epoch"]) == (200, 1), proposed.text
    await bob.read()
    await bob.accept(id)
    assert await ada.read() == await cara.read() == []
    assert (await cara.send(id, b"Let in by Bob")).is_success
    assert await ada.read() == [b"Let in by Bob"]


async def test_roles_are_those_of_the_group(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    roles = Roles({ada.device.user.encode(): Role.OWNER, bob.device.user.encode(): Role.ADMIN})
    await ada.accept(id, _context(roles, ada.groups[id]))
    assert (await bob.member.get(f"/groups/{id}")).json()["role"] == "admin"
    await bob.read()
    await bob.accept(id, Remove(cara.groups[id].own_leaf))
    assert (await ada.member.get(f"/groups/{id}")).json()["members"] == 2


def _context(roles: Roles, group: Group) -> GroupContextExtensions:
    """The change of a group's context to these roles."""
    changed = roles.extension()
    kept = [each for each in group.extensions if each.extension_type != changed.extension_type]
    return GroupContextExtensions((*kept, changed))
