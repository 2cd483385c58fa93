"""What the user chooses about conversations, and whom they block: what the server is told, and what is shown here."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from client.api import ApiError, NoResponse
from client.api.blocks import BlocksApi
from client.api.conversation_settings import ConversationSettingsApi
from client.blocks import Blocks
from client.conversation_settings import ConversationSettings
from client.conversations import Conversations
from client.messaging import PeerTyping
from client.terminal.conversation_commands import run
from tests.unit.client.settings_server import SettingsServer
from tests.unit.client.talk import ADA, BOB, CLEO, Talk

WITH_BOB, WITH_CLEO = f"{1:032x}", f"{2:032x}"
"""Less than the id of any group, in the order of which conversations without messages stand."""
HOUR_MS = 3_600_000


class Ada:
    """Ada's account, with conversations with Bob and Cleo."""

    def __init__(self, talk: Talk) -> None:
        database = talk.databases[talk.ada]
        self.refreshes = 0
        self.server = SettingsServer(ADA, {"bob": BOB, "cleo": CLEO})
        connection = self.server.connection()
        self.conversations = Conversations(database, talk.ada._device)
        self.blocks = Blocks(database, BlocksApi(connection), self.redrawn)
        self.settings = ConversationSettings(
            database, self.conversations, ConversationSettingsApi(connection), lambda: talk.server.now, self.redrawn
        )
        for id, peer, username in ((WITH_BOB, BOB, "bob"), (WITH_CLEO, CLEO, "cleo")):
            talk.ada.add_conversation(id, peer)
            self.conversations.name(id, username)

    def redrawn(self) -> None:
        self.refreshes += 1

    def order(self) -> list[str | None]:
        return [each.username for each in self.conversations.all()]

    def is_muted(self, conversation_id: str) -> bool:
        conversation = self.conversations.conversation(conversation_id)
        assert conversation is not None
        return self.settings.is_muted(conversation)

    def texts(self, group_id: str) -> list[str | None]:
        return [each.text for each in self.conversations.messages(group_id)]


async def test_pinned_come_first_and_archived_last_and_the_server_knows(talk: Talk) -> None:
    ada, group_id = Ada(talk), talk.group(BOB)
    assert ada.order() == ["bob", "cleo", "Trip"]
    await ada.settings.archive(WITH_BOB, True)
    await ada.settings.pin(group_id, True)
    assert ada.order() == ["Trip", "cleo", "bob"]
    assert list(ada.server.chosen) == [str(UUID(WITH_BOB))], "the server has no settings for groups"
    assert ada.server.chosen[str(UUID(WITH_BOB))]["archived"] is True
    await ada.settings.archive(WITH_BOB, False)
    await ada.settings.pin(WITH_BOB, True)
    assert ada.order() == ["bob", "Trip", "cleo"]


async def test_a_conversation_is_muted_until_its_time(talk: Talk) -> None:
    ada = Ada(talk)
    await ada.settings.mute(WITH_BOB, 3600)
    await ada.settings.pin(WITH_BOB, True)
    assert (ada.is_muted(WITH_BOB), ada.is_muted(WITH_CLEO)) == (True, False)
    talk.server.now += HOUR_MS
    assert not ada.is_muted(WITH_BOB)
    await ada.settings.mute(WITH_BOB, 3600)
    await ada.settings.mute(WITH_BOB, None)
    assert not ada.is_muted(WITH_BOB)


async def test_what_another_device_has_chosen_is_read_after_a_connection(talk: Talk) -> None:
    ada = Ada(talk)
    until = "2100-01-01T00:00:00Z"
    ada.server.chosen[str(UUID(WITH_CLEO))] = {"muted_until": until, "archived": False, "pinned": True}
    await ada.settings.step()
    assert ada.order() == ["bob", "cleo"], "nobody has said that there may be something"
    ada.server.away = True
    ada.settings.look()
    await ada.settings.step()
    ada.server.away = False
    assert ada.refreshes == 0
    await ada.settings.step()
    assert ada.refreshes == 1
    assert ada.order() == ["cleo", "bob"]
    assert ada.is_muted(WITH_CLEO)
    ada.server.chosen[str(UUID(WITH_CLEO))] = {"muted_until": None, "archived": True}  # what is this?
    ada.settings.look()
    await ada.settings.step()
    assert ada.is_muted(WITH_CLEO), "what cannot be read changes nothing"


async def test_a_choice_leaves_what_another_device_has_chosen(talk: Talk) -> None:
    ada = Ada(talk)
    ada.server.chosen[str(UUID(WITH_CLEO))] = {"muted_until": None, "archived": True, "pinned": False}
    await ada.settings.mute(WITH_CLEO, 3600)
    seen = ada.server.chosen[str(UUID(WITH_CLEO))]
    assert (seen["archived"], ada.is_muted(WITH_CLEO), ada.order()) == (True, True, ["bob", "cleo"])
    here = ada.conversations.conversation(WITH_CLEO)
    assert here is not None
    assert here.archived, "the response says so"


async def test_a_list_that_is_older_than_a_block_does_not_undo_it(talk: Talk) -> None:
    ada, slow = Ada(talk), asyncio.Event()
    read = ada.blocks._api.accounts

    async def slowly() -> list[str]:
        found = await read()
        await slow.wait()
        return found

    ada.blocks._api.accounts = slowly  # type: ignore[method-assign]
    ada.blocks.look()
    refreshing = asyncio.create_task(ada.blocks.step())
    await asyncio.sleep(0)
    blocking = asyncio.create_task(ada.blocks.block("bob"))
    for _ in range(10):
        await asyncio.sleep(0)
    slow.set()
    await asyncio.gather(refreshing, blocking)
    assert talk.databases[talk.ada].rows("select account_id from blocked") == [(BOB,)]


async def test_nothing_changes_here_that_the_server_has_not_taken(talk: Talk) -> None:
    ada = Ada(talk)
    ada.server.away = True
    with pytest.raises(NoResponse):
        await ada.settings.pin(WITH_CLEO, True)
    with pytest.raises(NoResponse):
        await ada.blocks.block("bob")
    assert ada.order() == ["bob", "cleo"]


async def test_what_somebody_blocked_says_in_a_group_is_not_shown(talk: Talk) -> None:
    group_id = talk.group(BOB, CLEO)
    ada = Ada(talk)
    for who, text in ((talk.bob, "from bob"), (talk.cleo, "from cleo")):
        talk.say(who, group_id, text)
        talk.exchange()
    await ada.blocks.block("bob")
    group = ada.conversations.conversation(group_id)
    assert group is not None
    assert (ada.texts(group_id), group.unread) == (["from cleo"], 1)
    assert [each.text for each in ada.conversations.search("from")] == ["from cleo"]
    talk.ada.peer_typing(group_id, BOB)
    talk.ada.peer_typing(group_id, CLEO)
    assert [each for each in talk.ada.changes if isinstance(each, PeerTyping)] == [PeerTyping(group_id, CLEO)]
    ada.server.people.pop("cleo")
    with pytest.raises(ApiError):
        await ada.blocks.block("cleo")
    # On another device the block was removed.
    ada.server.blocked.clear()
    ada.blocks.look()
    await ada.blocks.step()
    assert ada.texts(group_id) == ["from bob", "from cleo"]
    await ada.blocks.block("bob")
    await ada.blocks.unblock("bob")
    assert ada.texts(group_id) == ["from bob", "from cleo"]


async def test_somebody_blocked_is_not_told_that_their_message_was_read(talk: Talk) -> None:
    group_id = talk.group(BOB)
    ada = Ada(talk)
    await ada.blocks.block("bob")
    talk.say(talk.bob, group_id, "read me")
    talk.exchange()

    def receipts() -> set[bool]:
        talk.server.now += 10_000
        talk.exchange()
        rows = talk.databases[talk.bob].rows("select read from receipts")
        return {bool(read) for (read,) in rows}

    talk.ada.read(group_id, talk.server.now)
    assert receipts() == {False}
    await ada.blocks.unblock("bob")
    assert receipts() == {True}, "it is shown now"


async def test_commands(talk: Talk) -> None:
    ada, group_id = Ada(talk), talk.group(BOB)

    async def say(line: str, shown: str | None = WITH_CLEO) -> str:
        return await run(line, shown, ada)

    assert await say("/mute 8") == "Muted for 8 hours."
    assert ada.is_muted(WITH_CLEO)
    assert await say("/mute off") == "Not muted any more."
    assert not ada.is_muted(WITH_CLEO)
    assert await say("/pin") == "Pinned."
    assert ada.order()[0] == "cleo"
    assert await say("/unpin") == "Not pinned any more."
    assert await say("/archive") == "In the archive."
    assert ada.order()[-1] == "cleo"
    assert await say("/unarchive") == "Out of the archive."
    assert await say("/block") == "cleo is blocked."
    assert await say("/block @Bob", None) == "bob is blocked."
    assert ada.server.blocked == ["cleo", "bob"]
    assert await say("/unblock cleo", None) == "cleo is not blocked any more."
    for line in (
        "/mute",
        "/mute 0",
        "/mute 9000",
        "/mute 000012",
        "/mute \u00b2",
        "/pin it",
        "/block bob cleo",
        "/unblock",
        "/archive 1",
    ):
        with pytest.raises(ValueError, match="/mute HOURS"):
            await say(line)
    for line, shown in (("/pin", None), ("/mute 1", None), ("/block", None), ("/block", group_id)):
        with pytest.raises(ValueError, match=r"Choose a conversation|Say whom"):
            await say(line, shown)
