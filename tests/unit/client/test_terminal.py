"""The terminal client without a terminal: what a user types and sees."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList

from client.account import DeviceRemoved
from client.api import ApiError
from client.api.blocks import BlocksApi
from client.api.conversation_settings import ConversationSettingsApi
from client.blocks import Blocks
from client.conversation_settings import ConversationSettings
from client.conversations import Conversations
from client.devices import OwnDevice
from client.groups import Groups
from client.invitations import Invitations
from client.linking import LinkCode
from client.messaging import Change, Device, PeerTyping, evidence
from client.messaging.contents import Attachment, Poll, Text
from client.messaging.polls import PollResult
from client.terminal import ChatApp
from client.terminal.commands import is_command
from client.terminal.devices import ManageDevices
from client.terminal.file_names import suggested_path
from client.terminal.files import AskPath
from client.terminal.group_commands import USAGE, Command, parse
from client.terminal.messages import MessageList
from client.terminal.polls import choices
from client.terminal.polls import parse as parse_poll
from client.terminal.printable import printable
from client.terminal.screens import ShowSafetyNumber
from client.terminal.search import Search
from client.writing import Writing
from crypto.attachments import AttachmentPointer
from crypto.identity import SafetyNumber
from tests.unit.client.invitation_server import TOKEN, URL, InvitationServer
from tests.unit.client.settings_server import SettingsServer
from tests.unit.client.test_messaging import ADA, BOB, CONVERSATION, RANDOM, Pair


class Usernames:
    async def find_account(self, username: str) -> str:
        if username != "bob":
            raise ApiError(404, "no_such_person", "There is no such person.")
        return BOB


class LocalReports:
    """Takes what the user shows to the moderators."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.shown: list[tuple[list[int], str]] = []

    def can_report(self, number: int) -> bool:
        return bool(evidence.of_message(self._pair.databases[0], number))

    async def report(self, numbers: Sequence[int], reason: str) -> None:
        if not all(map(self.can_report, numbers)):
            raise ValueError("Only messages that others have sent")
        self.shown.append((list(numbers), reason))


class LocalAccount:
    """Ada's account, whose requests the model server performs at once."""

    account_id = ADA
    username = "ada"

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._changed = asyncio.Event()
        self.removed = asyncio.Event()
        self.online = True
        self.shows_typing = True
        self.sends_read_receipts = True
        self.typed: list[str] = []
        self.devices = LocalDevices(LinkCode("1" * 32, bytes(33), bytes(32), bytes(range(32))))
        self.conversations = Conversations(pair.databases[0], Device(pair.databases[0], RANDOM))
        self.conversations.name(CONVERSATION, "bob")
        self.reports = LocalReports(pair)
        self.serving = SettingsServer(ADA, {"bob": BOB})
        connection = self.serving.connection()
        self.blocks = Blocks(pair.databases[0], BlocksApi(connection), self._changed.set)
        self.settings = ConversationSettings(
            pair.databases[0],
            self.conversations,
            ConversationSettingsApi(connection),
            lambda: pair.server.now,
            self._changed.set,
        )
        self.groups = Groups(
            lambda: pair.ada,
            self.conversations,
            Usernames(),
            lambda: pair.server.now,
            self.step,
        )
        self.inviting = InvitationServer(ADA)
        self.invitations = Invitations(
            URL, self.inviting.api(), self.groups, self.conversations, pair.ada.changes.append
        )

    async def run(self) -> None:
        await self.removed.wait()
        raise DeviceRemoved

    def step(self) -> None:
        if self.online:
            self._pair.run(self._pair.ada)
        self._changed.set()

    async def changed(self) -> list[Change]:
        await self._changed.wait()
        self._changed.clear()
        changes = self._pair.ada.changes.copy()
        self._pair.ada.changes.clear()
        return changes

    async def conversation_with(self, username: str) -> str:
        if username != "bob":
            raise ApiError(404, "no_such_person", "There is no such person.")
        return CONVERSATION

    @property
    def _writing(self) -> Writing:
        return Writing(self._pair.ada, self.conversations, lambda: self._pair.server.now)

    def write(self, conversation_id: str, text: str, answers: int | None = None) -> int:
        number = self._writing.write(conversation_id, text, answers)
        self.step()
        return number

    def ask(self, conversation_id: str, question: str, options: Sequence[str], *, multiple: bool = False) -> int:
        number = self._writing.ask(conversation_id, question, Poll(tuple(options), multiple))
        self.step()
        return number

    def vote(self, number: int, choices: Sequence[int]) -> None:
        self._writing.vote(number, tuple(choices))
        self.step()

    async def send_file(self, conversation_id: str, source: Path, text: str | None = None) -> None:
        if not source.is_file():
            raise ValueError("There is no such file.")
        attachment = Attachment(
            "1" * 32, AttachmentPointer(bytes(32), 600, bytes(32)), source.name, "text/plain", 2_100
        )
        content = Text(text or source.name, attachments=(attachment,))
        self._pair.ada.send(conversation_id, content, self._pair.server.now)
        self.step()

    async def save_file(self, number: int, position: int, target: Path) -> None:
        if target.exists():
            raise FileExistsError
        target.write_text(f"file {position} of message {number}")

    def edit(self, number: int, text: str) -> None:
        self._writing.edit(number, text)
        self.step()

    def delete(self, number: int) -> None:
        self._writing.delete(number)
        self.step()

    def react(self, number: int, emoji: str | None) -> None:
        self._writing.react(number, emoji)
        self.step()

    def set_timer(self, conversation_id: str, expires_in_s: int | None) -> None:
        self._writing.set_timer(conversation_id, expires_in_s)
        self.step()

    def read(self, conversation_id: str) -> None:
        self._pair.ada.read(conversation_id, self._pair.server.now)

    async def typing(self, conversation_id: str) -> None:
        self.typed.append(conversation_id)

    def safety_number(self, conversation_id: str) -> SafetyNumber | None:
        return self._pair.ada.safety_number(conversation_id)


class LocalDevices:
    """Device 1 is this one; what was done is in `done`."""

    def __init__(self, code: LinkCode) -> None:
        self._code = code
        self.done: list[object] = []

    async def all(self) -> list[OwnDevice]:
        return [OwnDevice(number, "2026-11-26T12:00:00Z", number == 1) for number in (1, 2)]

    async def waiting(self) -> list[LinkCode]:
        return [replace(self._code, secret=b"")]

    async def approve(self, code: LinkCode) -> None:
        self.done.append(code)

    async def refuse(self, code: LinkCode) -> None:
        self.done.append("refused")

    async def remove(self, number: int) -> None:
        self.done.append(number)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    for database in made.databases:
        database.close()


async def until(pilot: Any, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await pilot.pause()


def shown(app: ChatApp) -> str:
    return "\n".join(str(option.prompt) for option in app.query_one("#messages", MessageList).options)


async def test_two_people_talk(pair: Pair) -> None:
    account = LocalAccount(pair)
    app = ChatApp(account)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+n", *"@Bob", "enter")
        await until(pilot, lambda: app.query_one("#line", Input).placeholder == "message")
        account.online = False
        await pilot.press(*"hello", "enter")
        await until(pilot, lambda: "you: hello …" in shown(app))
        account.online = True
        account.step()
        await until(pilot, lambda: "you: hello ✓" in shown(app))
        pair.run(pair.bob)
        pair.bob.write(CONVERSATION, "[red]\x1b[2Jhi", pair.server.now)
        pair.run(pair.bob)
        pair.ada.connected()
        account.step()
        await until(pilot, lambda: "bob: [red]\N{REPLACEMENT CHARACTER}[2Jhi" in shown(app))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, ShowSafetyNumber))
        number = pair.bob.safety_number(CONVERSATION)
        assert number is not None
        assert number.grouped().split()[0] in str(app.screen.query_one("#digits").render())
        await pilot.press("escape", "ctrl+q")


async def test_a_file_is_sent_and_saved(pair: Pair, tmp_path: Path) -> None:
    source, target = tmp_path / "plan.txt", tmp_path / "saved.txt"
    source.write_text("plan")
    account = LocalAccount(pair)
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query_one("#line", Input).placeholder == "message")

        async def give(path: str) -> None:
            await until(pilot, lambda: isinstance(app.screen, AskPath))
            app.screen.query_one("#path", Input).value = path
            await pilot.press("enter")

        await pilot.press("ctrl+f")
        await give(f"{source}.none")
        await until(pilot, lambda: any("no such file" in each.message for each in app._notifications))
        await pilot.press(*"see", "ctrl+f")
        await give(str(source))
        await until(pilot, lambda: "you: see 📎 plan.txt (2.1 kB) ✓" in shown(app))
        await until(pilot, lambda: app.query_one("#line", Input).value == "")
        await pilot.press("ctrl+f")
        await give(str(source))
        await until(pilot, lambda: "you: 📎 plan.txt (2.1 kB) ✓" in shown(app))
        await pilot.press("up", "s")
        await give(str(target))
        await until(pilot, target.exists)
        await until(pilot, lambda: any("Saved" in each.message for each in app._notifications))
        await pilot.press("s")
        await give(str(target))
        await until(pilot, lambda: any("already" in each.message for each in app._notifications))
        await pilot.press("ctrl+q")
    assert target.read_text().startswith("file 0 of message ")


@pytest.mark.parametrize("name", ["../../.ssh/config", "..\\evil", "\x1b[2J", "..", "a/b"])
def test_a_file_name_of_somebody_leads_nowhere_else(name: str) -> None:
    folder, _, suggested = suggested_path(name).rpartition("/")
    assert (folder in ("~", "~/Downloads"), suggested.isprintable(), suggested[:1] not in (".", "")) == (True,) * 3


async def test_a_message_is_answered_edited_and_deleted(pair: Pair) -> None:
    pair.bob.write(CONVERSATION, "lunch?", pair.server.now)
    pair.run(pair.bob)
    account = LocalAccount(pair)
    account.step()
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: "bob: lunch?" in shown(app))
        await pilot.press("up", "r", *"yes", "enter")
        await until(pilot, lambda: "you: [bob: lunch?] yes ✓" in shown(app))
        await pilot.press("up", "e", *"sir", "enter")
        await until(pilot, lambda: "yessir (edited) ✓" in shown(app))
        await pilot.press("up", "up", "plus", "down", "enter")
        await until(pilot, lambda: "bob: lunch? [❤ 1]" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: any("Only your own" in each.message for each in app._notifications))
        await pilot.press("down", "d", "enter")
        await until(pilot, lambda: "you: (deleted) ✓" in shown(app))
        pair.bob.connected()
        pair.run(pair.bob)
        pair.server.now += 1_000
        pair.run(pair.bob)
        pair.ada.connected()
        await pilot.press("escape", "ctrl+l", "down", "enter", *"vanishing", "enter")
        await until(pilot, lambda: "vanishing ⏱ 1 min ✓" in shown(app))
        pair.server.now += 60_000
        account.step()
        await until(pilot, lambda: "vanishing" not in shown(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: not account.sends_read_receipts)


async def test_the_chosen_message_is_reported(pair: Pair) -> None:
    for text in ("vile", "viler"):
        pair.bob.write(CONVERSATION, text, pair.server.now)
    pair.run(pair.bob)
    account = LocalAccount(pair)
    account.step()
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: "bob: viler" in shown(app))
        await pilot.press(*"/report", "enter")
        await until(pilot, lambda: any("REASON is one of" in each.message for each in app._notifications))
        await pilot.press(*" hate", "enter")
        await until(pilot, lambda: any("was shown to the moderators" in each.message for each in app._notifications))
        assert app.query_one("#line", Input).value == ""
        await pilot.press("up", "up", "escape", *"/report spam", "enter")
        await until(pilot, lambda: len(account.reports.shown) == 2)
    first, second = [message.number for message in account.conversations.messages(CONVERSATION)]
    assert account.reports.shown == [([second], "hate"), ([first], "spam")]


async def test_unread_messages_are_counted_until_they_are_shown(pair: Pair) -> None:
    pair.bob.write(CONVERSATION, "one", pair.server.now)
    pair.run(pair.bob)
    account = LocalAccount(pair)
    account.step()
    app = ChatApp(account)
    async with app.run_test() as pilot:
        options = app.query_one("#conversations", OptionList)
        await until(pilot, lambda: str(options.get_option_at_index(0).prompt) == "bob (1)")
        options.focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: str(options.get_option_at_index(0).prompt) == "bob")
        assert "bob: one" in shown(app)


async def test_typing_is_shown_until_the_message_comes(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.terminal.app._TYPING_S", 600.0)
    account = LocalAccount(pair)
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query_one("#line", Input).placeholder == "message")
        await pilot.press(*"hi")
        await until(pilot, lambda: account.typed == [CONVERSATION, CONVERSATION])
        pair.ada.peer_typing(CONVERSATION, BOB)
        pair.ada.peer_typing(CONVERSATION, "e" * 32)  # not who the conversation is with
        assert pair.ada.changes == [PeerTyping(CONVERSATION, BOB)]
        account.step()
        await until(pilot, lambda: app.sub_title == "bob is typing")
        pair.bob.write(CONVERSATION, "one", pair.server.now)
        pair.run(pair.bob)
        pair.ada.connected()
        account.step()
        await until(pilot, lambda: app.sub_title == "")
        await pilot.press("ctrl+y")
        await until(pilot, lambda: not account.shows_typing)


async def test_the_removal_of_this_device_is_said_and_what_came_before_can_be_read(pair: Pair) -> None:
    pair.bob.write(CONVERSATION, "one", pair.server.now)
    pair.run(pair.bob)
    account = LocalAccount(pair)
    account.step()
    app = ChatApp(account)
    async with app.run_test() as pilot:
        account.removed.set()
        await until(pilot, lambda: any("was removed from your account" in each.message for each in app._notifications))
        await pilot.press("ctrl+n", *"bob", "enter")
        await until(pilot, lambda: "bob: one" in shown(app))
        assert app.query_one("#line", Input).disabled


async def test_a_message_that_was_searched_for_is_shown(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.terminal.app._MESSAGES", 2)
    account = LocalAccount(pair)
    for text in ("needle", "one", "two", "three"):
        account.write(CONVERSATION, text)
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: "you: three" in shown(app))
        assert "needle" not in shown(app)
        await pilot.press("ctrl+s", *"need")
        await until(pilot, lambda: isinstance(app.screen, Search))
        found = app.screen.query_one("#found", OptionList)
        await until(pilot, lambda: [str(option.prompt)[-6:] for option in found.options] == ["needle"])
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "you: needle" in shown(app))
        assert app.query_one("#messages", MessageList).highlighted == 0


async def test_devices_are_approved_refused_and_removed(pair: Pair) -> None:
    account = LocalAccount(pair)
    code, done = account.devices._code, account.devices.done
    app = ChatApp(account)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, ManageDevices))
        screen = app.screen
        listed = screen.query_one("#devices", OptionList)
        await until(pilot, lambda: listed.option_count == 3)
        assert str(listed.get_option_at_index(0).prompt) == f"waits: {code.digits()}"
        screen.query_one("#code", Input).value = code.encode()
        await pilot.press("enter")
        await until(pilot, lambda: done == [code])
        listed.focus()
        await pilot.press("home", "enter", "enter")
        await until(pilot, lambda: done[1:] == [replace(code, secret=b"")])
        await pilot.press("home", "enter", "down", "enter")
        await until(pilot, lambda: done[2:] == ["refused"])
        await pilot.press("end", "enter", "down", "enter")
        await until(pilot, lambda: done[3:] == [2])


async def test_somebody_who_is_not_there_is_said(pair: Pair) -> None:
    app = ChatApp(LocalAccount(pair))
    async with app.run_test() as pilot:
        await pilot.press("ctrl+n", *"eve", "enter")
        await until(pilot, lambda: any("no such person" in each.message for each in app._notifications))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße 🙂\n\tzwei", "Grüße 🙂\n\tzwei"),
        ("\x1b]0;title\x07", "�]0;title�"),
        ("a\rb\x9bc", "a�b�c"),
        ("\u202eevil\u2066", "�evil�"),
    ],
)
def test_what_could_act_on_the_terminal_is_replaced(text: str, expected: str) -> None:
    assert printable(text) == expected


_COMMANDS = (
    *("new", "add", "remove", "role", "rename", "members", "leave"),
    *("link", "links", "revoke", "requests", "approve", "decline", "join"),
)


def test_commands_are_told_from_messages() -> None:
    assert is_command(" /group")
    assert is_command("/report spam")
    assert not is_command("/grouped")
    assert parse('/group new "The trip" bob @cleo') == Command("new", ("The trip", "bob", "@cleo"))
    assert parse("/group role bob Admin") == Command("role", ("bob", "ADMIN"))
    assert parse("/group link") == Command("link", ())
    assert parse("/group link 7 30") == Command("link", ("7", "30"))
    assert parse("/group approve bob @eve") == Command("approve", ("bob", "@eve"))
    assert parse("/group join https://a.example/b#join.c.d") == Command("join", ("https://a.example/b#join.c.d",))
    wrong_ones = ("/group", "/group new", "/group role bob king", "/group leave now", "/group explode", "/group link 0")
    for wrong in (
        *wrong_ones,
        "/group link 1 2 3",
        "/group link \u00b2",
        "/group approve",
        "/group join",
        "/group revoke",
    ):
        with pytest.raises(ValueError, match="/group new"):
            parse(wrong)
    with pytest.raises(ValueError, match="quotation"):
        parse('/group new "The trip')
    assert all(f"/group {each}" in USAGE for each in _COMMANDS)


async def test_a_group_by_commands(pair: Pair) -> None:
    account = LocalAccount(pair)
    app = ChatApp(account)
    line = "#line"

    def work() -> None:
        for _ in range(3):
            for messenger in (pair.ada, pair.bob):
                messenger.fetch()
                pair.run(messenger)
            pair.server.now += 1_000
        account.step()

    def listed() -> list[str]:
        return [str(option.prompt) for option in app.query_one("#conversations", OptionList).options]

    async def say(pilot: Any, text: str) -> None:
        app.query_one(line, Input).value = text
        app.query_one(line, Input).focus()
        await pilot.press("enter")

    async def told(pilot: Any, text: str) -> None:
        await until(pilot, lambda: any(text in each.message for each in app._notifications))

    work()
    async with app.run_test(notifications=True) as pilot:
        await say(pilot, '/group new "The trip" @Bob')
        await until(pilot, lambda: "# The trip" in listed())
        work()
        await say(pilot, "/group role bob admin")
        work()
        (group,) = [each for each in account.conversations.all() if each.is_group]
        pair.bob.write(group.id, "Where to?", pair.server.now)
        work()
        await until(pilot, lambda: "bob: Where to?" in shown(app))
        pair.ada.peer_typing(group.id, "e" * 32)  # not a member
        pair.ada.peer_typing(group.id, BOB)
        account.step()
        await until(pilot, lambda: app.sub_title == "bob is typing in The trip")
        await say(pilot, "/pin")
        await until(pilot, lambda: listed() == ["^ # The trip", "bob"])
        await say(pilot, "/block bob")
        await until(pilot, lambda: "bob: Where to?" not in shown(app))
        await say(pilot, "/unblock @Bob")
        await until(pilot, lambda: "bob: Where to?" in shown(app))
        await say(pilot, "/group members")
        await told(pilot, "ada: owner\nbob: admin")
        await say(pilot, "/group link 1 3")
        await told(pilot, f"{URL}#join.{TOKEN}.")
        assert app.clipboard.startswith(URL)
        await say(pilot, "/group links")
        await told(pilot, "0 of 3")
        account.inviting.waiting["d" * 32] = (group.id, "e" * 32, "eve")
        await say(pilot, "/group requests")
        await told(pilot, "eve: 2026")
        await say(pilot, "/group decline Eve")
        await until(pilot, lambda: account.inviting.answered == [("d" * 32, "decline")])
        await say(pilot, f"/group join {app.clipboard}")
        await told(pilot, "asked to join The trip")
        await say(pilot, "/group leave")
        await told(pilot, "only owner")
        await say(pilot, "/group add nobody")
        await told(pilot, "no such person")
        assert app.query_one("#line", Input).value == "/group add nobody"  # it can be corrected
        await pilot.press("ctrl+t")
        await told(pilot, "each person")


async def test_a_poll(pair: Pair) -> None:
    account = LocalAccount(pair)
    app = ChatApp(account, "bob")
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query_one("#line", Input).placeholder == "message")
        app.query_one("#line", Input).value = '/poll "Where to?" north "far south"'
        await pilot.press("enter")
        await until(pilot, lambda: "you: Where to? [north: 0] [far south: 0] ✓" in shown(app))
        await pilot.press("up", "v", "down", "enter")
        await until(pilot, lambda: "[north: 0] [far south: 1]" in shown(app))


def test_what_can_be_chosen_in_a_poll() -> None:
    one, several = (PollResult(Poll(("a", "b"), multiple), {ADA: (1,)}) for multiple in (False, True))
    assert choices(one, ADA) == {"0": "[ ] a", "1": "[x] b", "": "no vote"}
    assert choices(several, ADA) == {"0 1": "[ ] a", "": "[x] b"}
    assert parse_poll("/poll any Q a b").multiple
    with pytest.raises(ValueError, match="/poll QUESTION"):
        parse_poll("/poll Q a")
