"""References to posts and stories in messages: what they show to whom, and who may reply to a story."""

from datetime import timedelta
from typing import Any

import pytest

from features.stories.policy import StoryPolicy
from tests.support.environment import PASSWORD, Environment
from tests.support.member import Member


async def _befriend(one: Member, other: Member) -> None:
    for sender, recipient in ((one, other), (other, one)):
        assert (await sender.post("/friends/requests", json={"username": recipient.username})).is_success


async def _reference(member: Member, path: str) -> str:
    answer = await member.post(path)
    assert answer.status_code == 201, answer.text
    reference: str = answer.json()["reference"]
    assert answer.headers["Location"] == f"/v1/references/{reference}"
    return reference


async def _opened(reader: Member, reference: str) -> dict[str, Any] | None:
    """What the reader is shown; None: there is nothing to see."""
    answer = await reader.get(f"/references/{reference}")
    if answer.status_code == 404:
        assert answer.json()["code"] == "no_such_reference"
        return None
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_reference_shows_what_its_reader_sees_at_the_address(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    await _befriend(ada, bob)
    post = (await ada.post("/posts", json={"text": "Hi", "audience": "connections"})).json()["id"]
    story = (await ada.post("/stories", json={"text": "Hi"})).json()["id"]
    for kind, path in (("post", f"/posts/{post}"), ("story", f"/stories/{story}")):
        reference = await _reference(bob, f"{path}/references")
        for reader in (ada, bob):
            shown = await _opened(reader, reference)
            assert shown is not None
            assert shown.pop("at") is not None
            both = {"post": None, "story": None, kind: (await reader.get(path)).json()}
            assert shown == {"kind": f"shared_{kind}", "by": bob.id, **both}
        assert (await _opened(eve, reference) is None) is (kind == "post")
        assert (await entativa.anonymous.get(f"/references/{reference}")).status_code == 401
        assert (await entativa.anonymous.post(f"{path}/references")).status_code == 401
        assert await _opened(bob, reference[:-2] + ("AA" if reference[-2:] != "AA" else "BB")) is None
    assert (await eve.post(f"/posts/{post}/references")).json()["code"] == "no_such_post"
    # It follows the audience, and ends with its target.
    shared = await _reference(bob, f"/posts/{post}/references")
    assert (await ada.patch(f"/posts/{post}", json={"audience": "public"})).is_success
    assert await _opened(eve, shared) is not None
    assert (await ada.put("/blocks/eve")).is_success
    assert await _opened(eve, shared) is None
    assert (await ada.delete(f"/posts/{post}")).is_success
    assert await _opened(bob, shared) is None
    shared = await _reference(bob, f"/stories/{story}/references")
    entativa.clock.advance(StoryPolicy().lifetime)
    bob, ada = await entativa.log_in("bob"), await entativa.log_in("ada")
    assert await _opened(bob, shared) is None
    assert await _opened(ada, shared) is not None, "its author has it in the archive"


async def test_a_reply_concerns_two_people(entativa: Environment) -> None:
    ada, bob, eve = [await entativa.member(name) for name in ("ada", "bob", "eve")]
    story = (await ada.post("/stories", json={"text": "Hi"})).json()["id"]
    path = f"/stories/{story}"
    answer = await bob.post(f"{path}/reply-references")
    assert (answer.status_code, answer.json()["account_id"]) == (201, ada.id)
    reference = answer.json()["reference"]
    for reader in (ada, bob):
        shown = await _opened(reader, reference)
        assert shown is not None
        assert (shown["kind"], shown["by"], shown["story"]["id"]) == ("story_reply", bob.id, story)
    assert await _opened(eve, reference) is None
    assert (await bob.get(path)).json()["seen"] is True
    assert [each["person"]["username"] for each in (await ada.get(f"{path}/viewers")).json()["items"]] == ["bob"]
    own = await ada.post(f"{path}/reply-references")
    assert (own.status_code, own.json()["code"]) == (422, "yourself")
    assert (await ada.get(path)).json()["may_reply"] is False
    assert (await entativa.anonymous.get(path)).json()["may_reply"] is False
    assert (await ada.put("/blocks/eve")).is_success
    assert (await eve.post(f"{path}/reply-references")).json()["code"] == "no_such_story"
    assert (await bob.post("/account/deactivate", json={"password": PASSWORD})).is_success
    assert await _opened(ada, reference) is not None, "what was sent stays what it was"


@pytest.mark.parametrize(
    ("audience", "allowed"),
    [
        (None, {"friend", "close", "stranger"}),
        ("connections", {"friend"}),
        ("close_friends", {"close"}),
        ("nobody", set()),
    ],
)
async def test_an_author_chooses_who_may_reply(entativa: Environment, audience: str | None, allowed: set[str]) -> None:
    names = ("friend", "close", "stranger")
    ada, *readers = [await entativa.member(name) for name in ("ada", *names)]
    await _befriend(ada, readers[0])
    assert (await ada.put("/close-friends/close")).is_success
    story = (await ada.post("/stories", json={"text": "Hi"})).json()["id"]
    entativa.clock.advance(timedelta(seconds=1))
    if audience is not None:
        change = {"version": 0, "changes": {"stories": {"replies": audience}}}
        assert (await ada.patch("/settings", json=change)).is_success
    for name, reader in zip(names, readers, strict=True):
        may = (await reader.get(f"/stories/{story}")).json()["may_reply"]
        assert may == (await reader.get("/profiles/ada/stories")).json()["items"][0]["may_reply"] == (name in allowed)
        answer = await reader.post(f"/stories/{story}/reply-references")
        assert answer.status_code == (201 if may else 403), name
        if not may:
            assert answer.json()["code"] == "replies_not_allowed"
            assert (await reader.get(f"/stories/{story}")).json()["seen"] is False
