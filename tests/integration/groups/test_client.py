"""The client library in groups on the API; unless a test gives it sockets, there are none."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from client.account import Account
from client.api import ApiError
from client.conversations import MessageState
from client.messaging.changes import Change, JoinRequested, PeerTyping
from client.storage import AccountFolders
from crypto.mls import Role
from tests.integration.groups.conftest import Groups
from tests.support.conversation_host import give_sockets
from tests.support.correspondence import PROTECTION, running, said, until
from tests.support.directory_epochs import directory_runs
from tests.support.environment import PASSWORD, ROOT

NAMES = ("ada", "bob", "cleo")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.exchange._FETCH_S", 0.1)


def members(account: Account, group_id: str) -> list[tuple[str | None, Role]]:
    return [(each.username or "me", each.role) for each in account.conversations.members(group_id)]


async def test_people_found_a_group_talk_and_leave(opened: Groups, tmp_path: Path) -> None:
    for name in NAMES:
        await opened.environment.member(name)
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada, bob, cleo = [
            await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, **options) for name in NAMES
        ]
        async with running(ada), running(bob), running(cleo):
            while await opened.fetchval("select count(distinct account_id) from device_key_packages") < 3:
                await asyncio.sleep(0.05)
            group_id = await ada.groups.create("The trip", ["bob"])
            ada.write(group_id, "Who comes along?")
            await until(bob, lambda: said(bob, group_id) == ["Who comes along?"])
            (listed,) = bob.conversations.all()
            assert (listed.username, listed.is_group, listed.left, listed.unread) == ("The trip", True, False, 1)
            question = bob.conversations.messages(group_id)[0]
            bob.react(question.number, "👍")
            bob.write(group_id, "I do.", question.number)
            bob.read(group_id)
            await until(ada, lambda: said(ada, group_id) == ["Who comes along?", "I do."])
            await until(ada, lambda: ada.conversations.messages(group_id)[0].state is MessageState.READ)
            assert ada.conversations.messages(group_id)[0].reactions == {bob.account_id: "👍"}
            with pytest.raises(ValueError, match="admin"):
                await bob.groups.add(group_id, ["cleo"])
            ada.groups.set_role(group_id, "bob", Role.ADMIN)
            await until(bob, lambda: ("me", Role.ADMIN) in members(bob, group_id))
            await bob.groups.add(group_id, ["cleo"])
            bob.groups.rename(group_id, "The long trip")
            bob.write(group_id, "Cleo, too.")
            await until(cleo, lambda: said(cleo, group_id) == ["Cleo, too."])
            everybody = [("ada", Role.OWNER), ("bob", Role.ADMIN), ("me", Role.MEMBER)]
            await until(cleo, lambda: members(cleo, group_id) == everybody)
            await until(cleo, lambda: cleo.conversations.all()[0].username == "The long trip")
            cleo.groups.leave(group_id)
            await until(cleo, lambda: cleo.conversations.all()[0].left)
            await until(ada, lambda: len(members(ada, group_id)) == 2)
        for account in (ada, bob, cleo):
            await account.close()


async def test_who_has_a_link_comes_in_once_an_owner_has_approved(opened: Groups, tmp_path: Path) -> None:
    for name in NAMES:
        await opened.environment.member(name)
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada, bob, cleo = [
            await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, **options) for name in NAMES
        ]
        async with running(ada), running(bob), running(cleo):
            while await opened.fetchval("select count(distinct account_id) from device_key_packages") < 3:
                await asyncio.sleep(0.05)
            group_id = await ada.groups.create("The trip", [])
            await until(ada, lambda: members(ada, group_id) == [("me", Role.OWNER)])
            while await opened.fetchval("select count(*) from groups") < 1:
                await asyncio.sleep(0.05)
            link = await ada.invitations.create(group_id, max_uses=1)
            for guest in (bob, cleo):
                assert (await guest.invitations.ask(str(link))).name == "The trip"
            waiting = await ada.invitations.requests(group_id)
            assert sorted(each.username for each in waiting) == ["bob", "cleo"]
            ada.invitations.look()
            told: list[Change] = []
            while len(told) < 2:
                told += [each for each in await ada.changed() if isinstance(each, JoinRequested)]
            assert {each.username for each in told if isinstance(each, JoinRequested)} == {"bob", "cleo"}
            await ada.invitations.approve(group_id, "bob")
            with pytest.raises(ApiError) as used_up:
                await ada.invitations.approve(group_id, "cleo")
            assert used_up.value.code == "group_invitation_used_up"
            await until(bob, lambda: members(bob, group_id) == [("ada", Role.OWNER), ("me", Role.MEMBER)])
            await until(bob, lambda: bob.conversations.all()[0].username == "The trip")
            bob.write(group_id, "Here I am.")
            await until(ada, lambda: said(ada, group_id) == ["Here I am."])
            await ada.invitations.decline(group_id, "cleo")
            assert await ada.invitations.requests(group_id) == []
            [listed] = await ada.invitations.of_group(group_id)
            assert (listed.uses, listed.max_uses) == (1, 1)
            await ada.invitations.revoke(group_id, listed.id)
            assert await ada.invitations.of_group(group_id) == []
            with pytest.raises(ApiError) as revoked:
                await cleo.invitations.ask(str(link))
            assert revoked.value.code == "no_such_group_invitation"
            with pytest.raises(ValueError, match="elsewhere"):
                await cleo.invitations.ask(str(link).replace(ROOT, "http://elsewhere"))
            with pytest.raises(ValueError, match="admin"):
                await bob.invitations.create(group_id)
            assert cleo.conversations.all() == []
        for account in (ada, bob, cleo):
            await account.close()


async def test_clients_talk_over_sockets_and_show_who_types(
    opened: Groups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_sockets(opened.host, monkeypatch)
    monkeypatch.setattr("client.exchange._FETCH_S", 3600.0)
    for name in ("ada", "bob"):
        await opened.environment.member(name)
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada, bob = [
            await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, **options) for name in ("ada", "bob")
        ]
        async with running(ada), running(bob):
            while await opened.fetchval("select count(distinct account_id) from device_key_packages") < 2:
                await asyncio.sleep(0.05)
            group_id = await ada.groups.create("The trip", ["bob"])
            for text in ("Who comes along?", "Nobody?"):
                ada.write(group_id, text)
            await until(bob, lambda: said(bob, group_id) == ["Who comes along?", "Nobody?"])
            typing, changes = PeerTyping(group_id, bob.account_id), list[object]()
            async with asyncio.timeout(60):
                while typing not in changes:
                    await bob.typing(group_id)
                    with suppress(TimeoutError):
                        changes += await asyncio.wait_for(ada.changed(), 0.2)
        for account in (ada, bob):
            await account.close()
