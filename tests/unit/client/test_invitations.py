"""Invitations to groups: what the user is told, and that nobody is forgotten whose approval was not answered."""

import pytest

from client.api import NoResponse
from client.conversations import Conversations
from client.groups import Groups
from client.invitations import Invitations
from client.messaging import Change, JoinRequested, Messenger
from client.terminal import invitation_commands as commands
from client.terminal.notices import notice
from tests.unit.client.invitation_server import TOKEN, URL, InvitationServer
from tests.unit.client.talk import ADA, BOB, CLEO, Talk

ASKED = "d" * 32


class Nobody:
    async def find_account(self, username: str) -> str:
        raise AssertionError(f"{username} is known by the account")


def invitations_of(talk: Talk, messenger: Messenger, server: InvitationServer, told: list[Change]) -> Invitations:
    conversations = Conversations(talk.databases[messenger], messenger._device)
    groups = Groups(lambda: messenger, conversations, Nobody(), lambda: talk.server.now, lambda: None)
    return Invitations(f"{URL}/", server.api(), groups, conversations, told.append)


async def test_who_asks_is_told_of_once_and_added_when_the_user_approves(talk: Talk) -> None:
    group_id, server, told = talk.group(BOB), InvitationServer(ADA), list[Change]()
    invitations = invitations_of(talk, talk.ada, server, told)
    await invitations.step()
    assert server.reads == 0, "nobody has said that there is something"
    server.waiting[ASKED] = (group_id, CLEO, "cleo")
    server.lost = True
    invitations.look()
    await invitations.step()
    assert told == []
    server.lost = False
    await invitations.step()
    invitations.look()
    await invitations.step()
    assert told == [JoinRequested(group_id, "cleo")]
    said = notice(told[0], ADA, lambda _: None, lambda _, id: "Trip" if id == group_id else "?")
    assert said is not None
    assert said.text == "cleo asks to join Trip: /group requests."
    assert (await commands.waiting(invitations, group_id)).startswith("cleo: 2026-11-2")
    # The server has the approval, and its response is lost: a second try does the rest.
    server.lost = True
    with pytest.raises(NoResponse):
        await invitations.approve(group_id, "cleo")
    server.lost = False
    await commands.answer(invitations, group_id, "approve", ["cleo"])
    talk.exchange()
    assert set(talk.members(talk.ada, group_id)) == {ADA, BOB, CLEO}
    assert talk.name(talk.cleo, group_id) == "Trip"
    assert await commands.waiting(invitations, group_id) == "Nobody asks to join."
    with pytest.raises(ValueError, match="cleo has not asked"):
        await invitations.approve(group_id, "cleo")


async def test_the_server_passes_nobody_off_as_somebody_else(talk: Talk) -> None:
    group_id, server, told = talk.group(), InvitationServer(ADA), list[Change]()
    invitations = invitations_of(talk, talk.ada, server, told)
    conversations = Conversations(talk.databases[talk.ada], talk.ada._device)
    talk.ada.add_conversation("e" * 32, BOB)
    conversations.name("e" * 32, "bob")
    server.waiting = {ASKED: (group_id, CLEO, "bob"), "f" * 32: ("f" * 32, CLEO, "cleo")}
    with pytest.raises(ValueError, match="not whom you write to"):
        await invitations.approve(group_id, "bob")
    invitations.look()
    await invitations.step()
    assert told == [JoinRequested(group_id, "bob")], "of groups that the user manages alone"
    talk.exchange()
    assert (server.answered, set(talk.members(talk.ada, group_id))) == ([], {ADA})


async def test_who_is_declined_is_not_added(talk: Talk) -> None:
    group_id, server = talk.group(BOB), InvitationServer(ADA)
    server.waiting[ASKED] = (group_id, CLEO, "cleo")
    await commands.answer(invitations_of(talk, talk.ada, server, []), group_id, "decline", ["cleo"])
    talk.exchange()
    assert server.answered == [(ASKED, "decline")]
    assert set(talk.members(talk.ada, group_id)) == {ADA, BOB}


async def test_links_are_made_listed_and_revoked_by_their_numbers(talk: Talk) -> None:
    group_id, server = talk.group(BOB), InvitationServer(ADA)
    invitations = invitations_of(talk, talk.ada, server, [])
    assert await commands.listed(invitations, group_id) == "There is no link to this group."
    link = await commands.make_link(invitations, group_id, ["2", "5"])
    assert (link.url, link.token, link.name) == (URL, TOKEN, "Trip")
    await commands.make_link(invitations, group_id, [])
    [first, second] = server.invitations.values()
    assert [(each["expires_in_s"], each["max_uses"]) for each in (first, second)] == [(172_800, 5), (604_800, 100)]
    listed = await commands.listed(invitations, group_id)
    assert [line[:18] for line in listed.splitlines()] == ["000001: 0 of 5 cam", "000002: 0 of 100 c"]
    for which in ("", "0", "000003"):
        with pytest.raises(ValueError, match="Which link"):
            await commands.revoke(invitations, group_id, which)
    await commands.revoke(invitations, group_id, "000001")
    assert list(server.invitations.values()) == [second]
    asked = await commands.join(invitations, str(link))
    assert asked.startswith("You have asked to join Trip.")
    assert server.asked == [TOKEN]


async def test_a_member_reads_and_makes_nothing(talk: Talk) -> None:
    group_id, server = talk.group(BOB), InvitationServer(BOB)
    invitations = invitations_of(talk, talk.bob, server, [])
    invitations.look()
    await invitations.step()
    for action in (invitations.create, invitations.of_group, invitations.requests):
        with pytest.raises(ValueError, match="admin"):
            await action(group_id)
    assert (server.reads, server.invitations) == (0, {})
