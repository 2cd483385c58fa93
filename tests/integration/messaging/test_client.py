"""The client on the API, where no socket is to be had: what it writes arrives, and what it is refused is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from client.account import Account, DeviceRemoved, LinkRefused, LinkRequired
from client.api import SignedOut
from client.linking import LinkCode
from client.messaging import DevicesLearned, PeerTyping
from client.realtime import RealtimeClient
from client.storage import AccountFolders
from features.messaging.policy import MessagingPolicy
from tests.integration.messaging.people import Correspondence
from tests.support.conversation_host import give_sockets
from tests.support.correspondence import PROTECTION, correspond, running, texts, until
from tests.support.directory_epochs import directory_runs
from tests.support.environment import PASSWORD, ROOT


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.exchange._FETCH_S", 0.1)
    monkeypatch.setattr("client.devices._POLL_S", 0.1)


async def test_two_people_write_to_each_other(opened: Correspondence) -> None:
    ada, bob = await opened.environment.member("ada"), await opened.environment.member("bob")
    await opened.connect(ada, bob)
    async with directory_runs(opened.environment) as options:
        await correspond(ROOT, "ada", "bob", PASSWORD, **options)


async def test_another_device_takes_over(opened: Correspondence, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        await opened.environment.member(name)
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:

        async def log_in(folder: str, username: str, *, replace: bool = False) -> Account:
            return await Account.log_in(
                folders, folder, PROTECTION, ROOT, username, PASSWORD, replace=replace, **options
            )

        ada, lost = await log_in("ada", "ada"), await log_in("lost", "bob")
        with pytest.raises(LinkRequired):
            await log_in("new", "bob")
        assert [folder.name for folder in folders.list()] == ["ada", "lost"]
        async with running(ada), running(lost):
            conversation_id = await ada.conversation_with("bob")
            ada.write(conversation_id, "one")
            await until(lost, lambda: texts(lost, "ada") == ["one"])
        before = ada.safety_number(conversation_id)
        new = await log_in("new", "bob", replace=True)
        async with running(ada), running(new):
            ada.write(conversation_id, "two")  # a stranger's request, which Bob has not answered
            await until(new, lambda: texts(new, "ada") == ["two"])
        after = ada.safety_number(conversation_id)
        assert before is not None
        assert after is not None
        assert before.digits != after.digits
        (learned,) = [each for each in ada._changes if isinstance(each, DevicesLearned) and each.removed]
        assert [address.device for address in learned.removed] == [1]
        for account in (ada, lost, new):
            await account.close()


async def test_a_further_device_is_linked_with_the_recent_messages(opened: Correspondence, tmp_path: Path) -> None:
    await opened.connect(*[await opened.environment.member(name) for name in ("ada", "bob")])
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:

        async def log_in(folder: str, username: str, link: Callable[[LinkCode], None] | None = None) -> Account:
            return await Account.log_in(folders, folder, PROTECTION, ROOT, username, PASSWORD, link=link, **options)

        ada, bob = await log_in("ada", "ada"), await log_in("bob", "bob")
        async with running(ada), running(bob):
            ada.write(await ada.conversation_with("bob"), "one")
            await until(bob, lambda: texts(bob, "ada") == ["one"])
            codes: asyncio.Queue[LinkCode] = asyncio.Queue()
            linking = asyncio.create_task(log_in("tablet", "bob", codes.put_nowait))
            code = await codes.get()
            (waiting,) = await bob.devices.waiting()
            assert waiting.digits() == code.digits()
            with pytest.raises(ValueError):
                await bob.devices.approve(replace(code, ephemeral_key=bytes(32)))
            await bob.devices.approve(code)
            tablet = await linking
            assert texts(tablet, "ada") == ["one"]
            async with running(tablet):
                await until(tablet, lambda: tablet._device.has_prekeys() and tablet._device.upload is None)
                await opened.environment.drain()  # conversations learn of the device
                ada.write(await ada.conversation_with("bob"), "two")
                await until(tablet, lambda: texts(tablet, "ada") == ["one", "two"])
                tablet.write(await tablet.conversation_with("ada"), "three")
                await until(bob, lambda: texts(bob, "ada") == ["one", "two", "three"])
            refused = asyncio.create_task(log_in("phone", "bob", codes.put_nowait))
            await bob.devices.refuse(await codes.get())
            with pytest.raises(LinkRefused):
                await refused
            await bob.devices.remove(2)
            assert [each.number for each in await bob.devices.all()] == [1]
            with pytest.raises(DeviceRemoved):
                await asyncio.wait_for(tablet.run(), 60)
        for account in (ada, bob, tablet):
            await account.close()


@pytest.fixture
def _sockets(opened: Correspondence, monkeypatch: pytest.MonkeyPatch) -> None:
    give_sockets(opened.host, monkeypatch)


@pytest.fixture
def messaging_policy() -> MessagingPolicy:
    return MessagingPolicy(typing_pause=timedelta())


@pytest.mark.usefixtures("_sockets")
async def test_typing_is_shown_unless_it_is_switched_off(
    opened: Correspondence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    request = RealtimeClient.request

    async def counted(client: RealtimeClient, what: str, data: dict[str, Any]) -> Any:
        asked.append(what)
        return await request(client, what, data)

    monkeypatch.setattr(RealtimeClient, "request", counted)
    await opened.connect(*[await opened.environment.member(name) for name in ("ada", "bob")])
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada, bob = [
            await Account.log_in(folders, name, PROTECTION, ROOT, name, PASSWORD, **options) for name in ("ada", "bob")
        ]
        async with running(ada), running(bob):
            conversation_id = await ada.conversation_with("bob")
            await ada.typing(conversation_id)  # Bob does not know the conversation yet
            ada.write(conversation_id, "one")
            await until(bob, lambda: texts(bob, "ada") == ["one"])
            changes: list[object] = []
            async with asyncio.timeout(60):
                while PeerTyping(conversation_id, ada.account_id) not in changes:
                    await ada.typing(conversation_id)
                    with suppress(TimeoutError):
                        changes += await asyncio.wait_for(bob.changed(), 0.2)
            ada.shows_typing = False
            asked.clear()
            opened.environment.clock.advance(timedelta(minutes=1))
            await ada.typing(conversation_id)
            assert asked == []
        for account in (ada, bob):
            await account.close()


@pytest.mark.usefixtures("_sockets")
async def test_new_devices_are_shown_before_anybody_writes_to_them(opened: Correspondence, tmp_path: Path) -> None:
    await opened.connect(*[await opened.environment.member(name) for name in ("ada", "bob")])
    folders = AccountFolders(tmp_path / "accounts")
    async with directory_runs(opened.environment) as options:
        ada = await Account.log_in(folders, "ada", PROTECTION, ROOT, "ada", PASSWORD, **options)
        bob = await Account.log_in(folders, "bob", PROTECTION, ROOT, "bob", PASSWORD, **options)
        async with running(ada):
            async with running(bob):
                ada.write(await ada.conversation_with("bob"), "one")
                await until(bob, lambda: texts(bob, "ada") == ["one"])
            new = await Account.log_in(folders, "new", PROTECTION, ROOT, "bob", PASSWORD, replace=True, **options)
            await opened.environment.drain()
            learned: list[DevicesLearned] = []
            async with asyncio.timeout(60):
                while not any(each.added for each in learned):
                    learned += [each for each in await ada.changed() if isinstance(each, DevicesLearned)]
        assert {each.account_id for each in learned} == {bob.account_id}
        for account in (ada, bob, new):
            await account.close()


async def test_an_ended_session_is_said(opened: Correspondence, tmp_path: Path) -> None:
    await opened.environment.member("ada")
    async with directory_runs(opened.environment) as options:
        account = await Account.log_in(AccountFolders(tmp_path), "ada", PROTECTION, ROOT, "ada", PASSWORD, **options)
        await account._connection.request("POST", "/auth/log-out")
        with pytest.raises(SignedOut):
            await asyncio.wait_for(account.run(), 60)
        await account.log_in_again(PASSWORD)
        async with running(account):
            await until(account, lambda: account.messenger.next_at(0) is None)
        await account.close()


async def test_what_is_chosen_about_a_conversation_is_so_on_all_devices(opened: Correspondence, tmp_path: Path) -> None:
    browser, bob = [await opened.environment.member(name) for name in ("ada", "bob")]
    await opened.connect(browser, bob)
    async with directory_runs(opened.environment) as options:
        ada = await Account.log_in(
            AccountFolders(tmp_path / "accounts"), "ada", PROTECTION, ROOT, "ada", PASSWORD, **options
        )
        async with running(ada):
            id = await ada.conversation_with("bob")
        path = f"/conversations/{UUID(id)}"
        await ada.settings.pin(id, True)
        await ada.settings.mute(id, 3600)
        seen = (await browser.get(path)).json()
        assert (seen["pinned"], seen["archived"], seen["muted_until"] is None) == (True, False, False)
        assert (await browser.patch(path, json={"archived": True, "muted_until": None})).is_success
        ada.settings.look()
        await ada.settings.step()
        here = ada.conversations.conversation(id)
        assert here is not None
        assert (here.pinned, here.archived, here.muted_until) == (True, True, None)
        await ada.blocks.block("bob")
        [blocked] = (await browser.get("/blocks")).json()["items"]
        assert blocked["person"]["username"] == "bob"
        await ada.blocks.unblock("bob")
        assert (await browser.get("/blocks")).json()["items"] == []
        await ada.close()
