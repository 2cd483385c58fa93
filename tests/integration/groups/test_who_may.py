"""Who may read and write what of a group: a member, a former one, strangers, blocked people, and what is refused."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from crypto.mls import Add, Remove, welcome_for, welcome_parts
from features.groups.policy import GroupsPolicy
from tests.integration.groups.conftest import Groups
from tests.support.devices import text
from tests.support.environment import Environment
from tests.support.group_devices import change_body

HIDDEN = (404, "no_such_group")


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_every_relationship_on_every_read_path(opened: Groups) -> None:
    id, (ada, bob, cara, dan) = await opened.group_of("ada", "bob", "cara", "dan")
    [eve] = await opened.people("eve")
    blocked = await bob.member.put(f"/blocks/{ada.member.username}")
    assert blocked.is_success
    posted = await ada.accept(id, Remove(cara.groups[id].own_leaf))
    said = (await ada.send(id, b"Among us")).json()
    paths = (f"/groups/{id}", f"/groups/{id}/group-info", f"/groups/{id}/trees/2")
    sees = {"ada": True, "bob": True, "dan": True, "cara": False, "eve": False}
    for name, may in sees.items():
        device = opened.devices[name]
        for path in paths:
            answer = await device.member.get(path)
            seen = answer.status_code == 200
            assert seen == may, (name, path, answer.text)
            assert may or problem(answer) == HIDDEN
        assert len((await device.member.get("/groups")).json()["items"]) == may
        last = await device.member.get(f"/groups/{id}/messages/{said['seq']}")
        assert (last.status_code == 200) == (may and name != "ada"), name  # her own does not wait for her
        commit = await device.member.get(f"/groups/{id}/messages/{posted['seq']}")
        assert (commit.status_code == 200) == (name in ("bob", "cara", "dan")), name
    assert await eve.inbox() == []
    assert [item["content"] for item in await cara.inbox()] == ["commit"]
    # Who blocks each other stays in the group, and both follow it.
    assert await bob.read() == await dan.read() == [b"Among us"]
    assert (await bob.send(id, b"So am I")).is_success
    assert await ada.read() == [b"So am I"]
    anonymous = opened.environment.anonymous
    for path in (*paths, "/groups", f"/groups/{id}/messages/{said['seq']}"):
        assert (await anonymous.get(path)).status_code == 401


async def test_who_is_apart_or_unknown_is_not_added(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    [eve] = await opened.people("eve")
    [package] = await ada.claim(eve)
    assert (await eve.member.put(f"/blocks/{ada.member.username}")).is_success
    assert problem(await ada.post(ada.commit(id, Add(package)))) == (422, "bad_handshake")
    assert await ada.claim(eve) == []
    assert await eve.inbox() == []
    assert (await eve.member.delete(f"/blocks/{ada.member.username}")).is_success
    await ada.accept(id, Add(package))
    assert [item["content"] for item in await eve.inbox()] == ["welcome"]
    assert await bob.read() == []


async def test_what_is_wrong_is_refused_and_nothing_of_it_is_stored(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    [eve] = await opened.people("eve")
    before, old = await _stored(opened), bob.groups[id].encrypt(b"Late")
    good = change_body(ada.commit(id))

    async def refused(by: Any, **changed: Any) -> tuple[int, str]:
        return problem(await by.member.post("/group-changes", json={**good, **changed}))

    assert await refused(bob) == (403, "not_the_sender")
    assert await refused(eve) == HIDDEN
    assert await refused(ada, message=text(b"none")) == (422, "bad_handshake")
    assert await refused(ada, group_info=None) == (422, "bad_group_info")
    [package] = await ada.claim(eve)
    welcome = ada.commit(id, Add(package)).welcome
    assert welcome is not None
    assert await refused(ada, welcome=text(welcome)) == (422, "bad_welcome")
    forbidden = bob.groups[id].propose_remove(bob.groups[id].own_leaf)
    assert await refused(cara, message=text(forbidden), group_info=None) == (403, "not_the_sender")
    other = ada.new_group()
    assert await refused(ada, message=text(other.commit(now=ada.now).message)) == HIDDEN
    sealed = other.encrypt(b"To others")
    assert problem(await ada.send_sealed(id, sealed)) == (422, "bad_group_message")
    assert problem(await eve.send_sealed(id, ada.groups[id].encrypt(b"Stolen"))) == HIDDEN
    assert problem(await ada.send_sealed(id, b"none")) == (422, "bad_group_message")
    assert await _stored(opened) == before
    await ada.accept(id)
    late = await bob.send_sealed(id, old)
    assert problem(late) == (409, "epoch_outdated")
    assert (late.json()["current"]["epoch"], len(late.json()["current"]["commits"])) == (2, 1)
    assert await bob.read() == []
    assert (await bob.send(id, b"In time")).is_success
    assert await ada.read() == [b"In time"]


async def test_who_comes_in_learns_nothing_of_before(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    [dan] = await opened.people("dan")
    old, sealed = change_body(bob.commit(id)), bob.groups[id].encrypt(b"Late")
    await ada.accept(id, Remove(cara.groups[id].own_leaf))
    tree = f"/groups/{id}/trees/1"
    assert problem(await bob.member.get(tree)) == HIDDEN, "nor does who has entered"
    posted = await ada.add(id, dan)
    assert problem(await dan.member.get(tree)) == HIDDEN
    assert (await dan.member.get(f"/groups/{id}/trees/3")).status_code == 200
    assert (await ada.accept(id))["epoch"] == 4
    again = await dan.member.get(f"/groups/{id}/trees/3")
    assert again.status_code == 200, "his Welcome leads there"
    assert Environment.statements(again) == 1, "who may have it is asked each time, and the tree is in memory"
    changes = [await each.member.post("/group-changes", json=old) for each in (bob, dan)]
    messages = [await each.send_sealed(id, sealed) for each in (bob, dan)]
    for of_bob, of_dan in (changes, messages):
        assert problem(of_bob) == problem(of_dan) == (409, "epoch_outdated")
        assert [each["epoch"] for each in of_bob.json()["current"]["commits"]] == [1, 2, 3]
        assert [each["epoch"] for each in of_dan.json()["current"]["commits"]] == [3]
    assert posted["seq"] not in [item["seq"] for item in await dan.inbox() if item["content"] == "commit"]


async def test_no_epoch_is_too_large_to_be_wrong(opened: Groups) -> None:
    id, (ada, _bob) = await opened.group_of("ada", "bob")
    commit, sealed = change_body(ada.commit(id)), ada.groups[id].encrypt(b"Later")
    last = text(_in_last_epoch(id, b64decode(commit["message"])))
    answers = [
        await ada.send_sealed(id, _in_last_epoch(id, sealed)),
        await ada.member.post("/group-changes", json={**commit, "message": last}),
    ]
    for answer in answers:
        assert problem(answer) == (409, "epoch_outdated")
        assert answer.json()["current"] == {"epoch": 1, "commits": []}


def _in_last_epoch(id: str, message: bytes) -> bytes:
    """A message with the largest epoch that there is."""
    start = message.index(UUID(id).bytes) + 16
    return message[:start] + b"\xff" * 8 + message[start + 8 :]


async def test_a_joiner_is_sent_no_large_welcome(opened: Groups) -> None:
    id, (ada, _bob) = await opened.group_of("ada", "bob")
    [eve] = await opened.people("eve")
    bundle = ada.commit(id, *map(Add, await ada.claim(eve)))
    assert bundle.welcome is not None
    parts = welcome_parts(bundle.welcome)
    [entry] = parts.entries.values()
    large = welcome_for(parts.cipher_suite, entry, bytes(64 * 1024))
    assert problem(await ada.post(bundle, welcome=text(large))) == (413, "group_message_too_large")
    assert await eve.inbox() == []


async def test_a_group_is_founded_once(opened: Groups) -> None:
    ada, bob = await opened.people("ada", "bob")
    group = ada.new_group(uuid4())
    body = {"group_info": text(group.group_info())}
    first, again = [await ada.member.post("/groups", json=body) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    other = ada.new_group(UUID(bytes=group.group_id))
    assert problem(await ada.member.post("/groups", json={"group_info": text(other.group_info())})) == (
        409,
        "group_exists",
    )
    assert problem(await bob.member.post("/groups", json=body)) == (422, "bad_group_info")
    without = await opened.environment.log_in("ada")
    assert problem(await without.post("/groups", json=body)) == (409, "not_a_device")


async def _stored(opened: Groups) -> tuple[int, ...]:
    tables = ("group_messages", "group_joiners", "group_staged_changes", "group_welcomes", "group_devices")
    return tuple([await opened.fetchval(f"select count(*) from {table}") for table in tables])


class TestLimits:
    """A policy with small numbers."""

    @pytest.fixture
    def group_policy(self) -> GroupsPolicy:
        return replace(GroupsPolicy(), max_members=2, max_message_bytes=600, max_groups=1)

    async def test_a_group_and_its_messages_have_limits(self, opened: Groups) -> None:
        id, (ada, bob) = await opened.group_of("ada", "bob")
        [cara] = await opened.people("cara")
        full = await ada.post(ada.commit(id, *map(Add, await ada.claim(cara))))
        assert problem(full) == (409, "group_full")
        large = await ada.send(id, bytes(1_000))
        assert problem(large) == (413, "group_message_too_large")
        another = await ada.member.post("/groups", json={"group_info": text(ada.new_group().group_info())})
        assert problem(another) == (409, "too_many_groups")
        assert await bob.read() == []
