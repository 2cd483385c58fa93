"""Invitations to groups by link: who makes, uses, sees and answers what, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from actors.sessions.calls import SessionCalls
from crypto.mls import Remove
from features.groups.policy import GroupsPolicy
from features.realtime.errors import SessionsUnavailable
from tests.integration.groups.conftest import Groups
from tests.support.environment import PASSWORD
from tests.support.group_devices import GroupDevice
from tests.support.member import Member

HIDDEN = (404, "no_such_group_invitation")
UNKNOWN = (404, "no_such_group_join_request")


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def invite(by: GroupDevice, group_id: str, **body: Any) -> dict[str, Any]:
    answer = await by.member.post(f"/groups/{group_id}/invitations", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ask(member: Member, made: dict[str, Any]) -> Any:
    return await member.post("/group-join-requests", json={"token": made["token"]})


async def waiting(by: GroupDevice, direction: str = "incoming") -> list[dict[str, Any]]:
    answer = await by.member.get("/group-join-requests", params={"direction": direction})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def approve(by: GroupDevice, request: dict[str, Any]) -> Any:
    return await by.member.post(f"/group-join-requests/{request['id']}/approve")


async def decline(by: GroupDevice, request: dict[str, Any]) -> Any:
    return await by.member.post(f"/group-join-requests/{request['id']}/decline")


async def make_admin(opened: Groups, group_id: str, member: Member, role: str = "admin") -> None:
    """What a commit does to the server's list of roles."""
    sql = "update group_members set role = $3 where group_id = $1 and account_id = $2"
    await opened.environment.platform.database.pool.execute(sql, UUID(group_id), UUID(member.id), role)


async def test_who_asks_by_a_link_comes_in_by_a_commit_of_an_owner_alone(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    eve, mallory = await opened.people("eve", "mallory")
    made = await invite(ada, id, max_uses=1)
    assert made["token"] not in str((await ada.member.get(f"/groups/{id}/invitations")).json())
    first, again = await ask(eve.member, made), await ask(eve.member, made)
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    assert [first.json()[name] for name in ("direction", "person", "group_id")] == ["outgoing", None, None]
    assert await waiting(eve, "outgoing") == [first.json()]
    assert await waiting(eve) == await waiting(bob) == [], "a member answers nothing"
    [request] = await waiting(ada)
    assert (request["group_id"], request["person"]["username"]) == (id, "eve")
    assert request["invitation_id"] == made["id"]
    for other in (eve, bob, mallory):
        assert problem(await approve(other, request)) == problem(await decline(other, request)) == UNKNOWN
    assert (await ask(mallory.member, made)).status_code == 201
    assert [(await approve(ada, request)).status_code for _ in range(2)] == [204, 204]
    assert [each["uses"] for each in (await ada.member.get(f"/groups/{id}/invitations")).json()["items"]] == [1]
    # The approval alone lets nobody in.
    assert (await eve.member.get(f"/groups/{id}")).status_code == 404
    assert await eve.inbox() == []
    await ada.add(id, eve)
    assert await eve.read() == []
    assert (await eve.send(id, b"Hello")).is_success
    assert problem(await ask(eve.member, made)) == HIDDEN, "used up"
    for _ in range(2):
        [of_mallory] = await waiting(ada)
        assert problem(await approve(ada, of_mallory)) == (409, "group_invitation_used_up")
    assert problem(await ask(eve.member, await invite(ada, id))) == (409, "already_in_group")


async def test_every_relationship(opened: Groups) -> None:
    id, (ada, bob, cara) = await opened.group_of("ada", "bob", "cara")
    await make_admin(opened, id, bob.member)
    [eve, dan] = await opened.people("eve", "dan")
    made, by_bob = await invite(ada, id), await invite(bob, id)
    paths = f"/groups/{id}/invitations", f"/groups/{id}/invitations/{made['id']}"
    for device, refused in ((cara, (403, "not_allowed_in_group")), (eve, (404, "no_such_group"))):
        assert problem(await device.member.post(paths[0], json={})) == refused
        assert problem(await device.member.get(paths[0])) == refused
        assert problem(await device.member.delete(paths[1])) == refused
    anonymous = opened.environment.anonymous
    assert (await anonymous.post(paths[0], json={})).status_code == 401
    assert (await anonymous.get(paths[0])).status_code == 401
    assert (await anonymous.post("/group-join-requests", json={"token": made["token"]})).status_code == 401
    assert (await anonymous.get("/group-join-requests")).status_code == 401
    # Who is apart from the one who made the link finds nothing; another's link shows them to others alone.
    assert (await ada.member.put("/blocks/eve")).is_success
    assert problem(await ask(eve.member, made)) == HIDDEN
    assert (await ask(eve.member, by_bob)).status_code == 201
    assert await waiting(ada) == []
    [seen] = await waiting(bob)
    assert problem(await approve(ada, seen)) == UNKNOWN
    assert (await approve(bob, seen)).status_code == 204
    # A link is worth as much as the role of who made it.
    await make_admin(opened, id, bob.member, "member")
    assert problem(await ask(dan.member, by_bob)) == HIDDEN
    assert (await ask(dan.member, made)).status_code == 201
    assert await waiting(bob) == []
    assert problem(await bob.member.delete(paths[1])) == (403, "not_allowed_in_group")
    # An account that is not active asks nobody any more.
    [request] = await waiting(ada)
    assert (await dan.member.post("/account/deactivate", json={"password": PASSWORD})).status_code == 204
    assert await waiting(ada) == []
    assert problem(await approve(ada, request)) == UNKNOWN


async def test_who_was_declined_sees_that_nowhere(opened: Groups) -> None:
    id, (ada, _) = await opened.group_of("ada", "bob")
    eve, dan = await opened.people("eve", "dan")
    made = await invite(ada, id)
    for device in (eve, dan):
        assert (await ask(device.member, made)).status_code == 201
    of_eve = next(each for each in await waiting(ada) if each["person"]["username"] == "eve")
    assert [(await decline(ada, of_eve)).status_code for _ in range(2)] == [204, 204]

    async def seen_by(device: GroupDevice) -> list[Any]:
        [listed] = await waiting(device, "outgoing")
        again = await ask(device.member, made)
        withdrawn = await device.member.delete(f"/group-join-requests/{listed['id']}")
        gone = await waiting(device, "outgoing")
        twice = await device.member.delete(f"/group-join-requests/{listed['id']}")
        renewed = await ask(device.member, made)
        return [again.status_code, withdrawn.status_code, gone, problem(twice), renewed.status_code]

    assert await seen_by(eve) == await seen_by(dan) == [200, 204, [], UNKNOWN, 201]
    assert [each["person"]["username"] for each in await waiting(ada)] == ["dan"]
    assert problem(await approve(ada, of_eve)) == UNKNOWN
    assert problem(await dan.member.delete(f"/group-join-requests/{of_eve['id']}")) == UNKNOWN


async def test_a_link_ends_and_may_be_revoked(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    eve, dan = await opened.people("eve", "dan")
    short, long = await invite(ada, id, expires_in_s=60), await invite(ada, id)
    assert (await ask(eve.member, short)).status_code == 201
    opened.environment.clock.advance(timedelta(seconds=61))
    assert problem(await ask(dan.member, short)) == HIDDEN
    listed = (await ada.member.get(f"/groups/{id}/invitations")).json()["items"]
    assert [each["id"] for each in listed] == [long["id"]]
    # Who has asked in time is let in all the same.
    [request] = await waiting(ada)
    assert (await approve(ada, request)).status_code == 204
    assert (await ask(dan.member, long)).status_code == 201
    revoke = f"/groups/{id}/invitations/{long['id']}"
    assert (await ada.member.delete(revoke)).status_code == 204
    assert problem(await ada.member.delete(revoke)) == HIDDEN
    assert problem(await ask(dan.member, long)) == HIDDEN
    assert await waiting(ada) == await waiting(dan, "outgoing") == []
    # Who was removed asks like anybody else.
    await ada.add(id, eve)
    await eve.read()
    await ada.accept(id, Remove(eve.groups[id].own_leaf))
    other = await invite(ada, id)
    assert (await ask(eve.member, other)).status_code == 201
    assert [each["person"]["username"] for each in await waiting(ada)] == ["eve"]
    assert await bob.read() == []


async def test_floods_are_bounded(opened: Groups) -> None:
    id, (ada, bob) = await opened.group_of("ada", "bob")
    eve, dan, cara = await opened.people("eve", "dan", "cara")
    for body in ({"expires_in_s": 59}, {"expires_in_s": 91 * 86_400}):
        answer = await ada.member.post(f"/groups/{id}/invitations", json=body)
        assert problem(answer) == (422, "bad_invitation_lifetime")
        assert answer.json()["errors"][0]["field"] == "expires_in_s"
    for body in ({"max_uses": 0}, {"max_uses": 1_501}):
        assert (await ada.member.post(f"/groups/{id}/invitations", json=body)).status_code == 422
    for token in ("", "x" * 65, None):
        assert (await eve.member.post("/group-join-requests", json={"token": token})).status_code == 422
    assert problem(await ask(eve.member, {"token": "Yk3vS0mQb1mJ8n5w2xqT7A"})) == HIDDEN
    made, *_ = [await invite(ada, id) for _ in range(20)]
    full = await ada.member.post(f"/groups/{id}/invitations", json={})
    assert problem(full) == (409, "too_many_group_invitations")
    elsewhere = [uuid4() for _ in range(100)]
    await _asked(opened, elsewhere[:20], eve.member, uuid4())
    assert problem(await ask(eve.member, made)) == (409, "too_many_group_join_requests")
    await _asked(opened, elsewhere[:99], bob.member, UUID(made["id"]))
    assert (await ask(dan.member, made)).status_code == 201
    assert problem(await ask(cara.member, made)) == (409, "too_many_group_join_requests")
    assert (await ask(dan.member, made)).status_code == 200


async def _asked(opened: Groups, group_ids: list[UUID], member: Member, invitation_id: UUID) -> None:
    """Somebody waits for answers of other groups."""
    sql = """
with founded as (
    insert into groups (id, digest, epoch, version, group_info, created_at)
    select asked.id, '', 0, 0, '', $4::timestamptz from unnest($1::uuid[]) as asked (id) on conflict do nothing
)
insert into group_join_requests (id, group_id, account_id, invitation_id, state, asked_at, expires_at)
select gen_random_uuid(), asked.id, $2, $3, 'waiting', $4, $4 + interval '1 day' from unnest($1::uuid[]) as asked (id)
"""
    pool, now = opened.environment.platform.database.pool, opened.environment.clock()
    await pool.execute(sql, group_ids, UUID(member.id), invitation_id, now)


async def test_owners_and_admins_are_told_once_unless_they_are_apart(
    opened: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, Any]] = []
    unreachable: set[str] = set()

    async def signal(_: SessionCalls, user_id: UUID, kind: str, payload: Any) -> None:
        if kind == "group_join_requested":
            told.append((str(user_id), payload))
            if str(user_id) in unreachable:
                raise SessionsUnavailable("no host")

    monkeypatch.setattr(SessionCalls, "signal", signal)
    id, (ada, bob, cara, _) = await opened.group_of("ada", "bob", "cara", "dan")
    for admin in (bob, cara):
        await make_admin(opened, id, admin.member)
    [eve] = await opened.people("eve")
    assert (await cara.member.put("/blocks/eve")).is_success
    unreachable.add(ada.member.id)
    for made in (await invite(ada, id), await invite(bob, id)):
        assert (await ask(eve.member, made)).is_success
        await opened.environment.drain()
    payload = {"group_id": UUID(id)}
    assert sorted(told, key=str) == sorted([(each.member.id, payload) for each in (ada, bob)], key=str)


async def test_what_is_read_costs_the_same_for_many(opened: Groups) -> None:
    id, (ada, _) = await opened.group_of("ada", "bob")
    people = await opened.people("eve", "dan", "cara")
    made = await invite(ada, id)
    costs = []
    for device in people:
        assert (await ask(device.member, made)).status_code == 201
        answer = await ada.member.get("/group-join-requests")
        costs.append(opened.environment.statements(answer))
    assert len(set(costs)) == 1
    assert len(answer.json()["items"]) == 3


class TestLimits:
    """A policy with small numbers."""

    @pytest.fixture
    def group_policy(self) -> GroupsPolicy:
        return replace(GroupsPolicy(), max_members=2, max_groups=1)

    async def test_whoever_approves_is_told_that_the_group_is_full(self, opened: Groups) -> None:
        id, (ada, _bob) = await opened.group_of("ada", "bob")
        eve, dan = await opened.people("eve", "dan")
        made = await invite(ada, id)
        assert (await ask(eve.member, made)).status_code == 201
        for _ in range(2):
            [request] = await waiting(ada)
            assert problem(await approve(ada, request)) == (409, "group_full")
        assert [each["uses"] for each in (await ada.member.get(f"/groups/{id}/invitations")).json()["items"]] == [0]
        await dan.found()
        assert problem(await ask(dan.member, made)) == (409, "too_many_groups")
