"""An account on this device: signed in at a brand, registered as a device, its messages kept in step with the server.

account = await Account.log_in(folders, "ada", InKeyring(), "http://127.0.0.1:8000/entativa", "ada", password)
running = asyncio.create_task(account.run())
conversation_id = await account.conversation_with("bob")
account.write(conversation_id, "hello")  # sent when that is possible
await account.changed()
account.conversations.messages(conversation_id)
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import httpx

from client.api import Connection, MessagingApi, NoResponse, Tokens
from client.api.blocks import BlocksApi
from client.api.conversation_settings import ConversationSettingsApi
from client.api.group_invitations import GroupInvitationsApi
from client.attachments import AttachmentFiles, Transfers, Upload
from client.backup import Backups, Operators
from client.blocks import Blocks
from client.conversation_settings import ConversationSettings
from client.conversations import Conversations
from client.devices import DeviceRemoved, Devices, LinkRefused, LinkRequired
from client.exchange import Exchange
from client.groups import Groups
from client.invitations import Invitations
from client.linking import LinkCode
from client.messaging import Change, Device, Messenger, NotRegistered
from client.messaging.contents import Poll
from client.naming import Naming
from client.reports import Reports
from client.state import State
from client.storage import AccountFolders, Database, Protection
from client.writing import Writing
from crypto.directory import DirectoryKeys
from crypto.identity import SafetyNumber
from crypto.randomness import SystemRandomness

_RETRY_S = 2.0

__all__ = ["Account", "DeviceRemoved", "LinkRefused", "LinkRequired"]


def milliseconds_now() -> int:
    return time.time_ns() // 1_000_000


class Account:
    """One task runs it; its other methods are called from tasks of the same event loop."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int] = milliseconds_now,
        transport: httpx.AsyncBaseTransport | None = None,
        operator_transport: Callable[[str], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """`clock`: milliseconds since 1970. `transport` and `operator_transport`: of HTTP to the platform and, by
        address, to operators of PINs, for tests."""
        self._database = database
        self._state = State(database)
        self._clock = clock
        self._randomness = SystemRandomness()
        self._operator_transport = operator_transport
        self._device = Device(database, self._randomness)
        self.url = self._state.get("url")["url"]
        self.username: str = self._state.get("username")["username"]
        tokens = Tokens(**self._state.get("tokens"))
        self.account_id = tokens.account_id
        self._connection = Connection(
            self.url, tokens, store=lambda tokens: self._state.put("tokens", asdict(tokens)), transport=transport
        )
        self._api = MessagingApi(self._connection)
        self.devices = Devices(database, self._device, self._connection, self._randomness)
        self.conversations = Conversations(database, self._device)
        self._changed = asyncio.Event()
        self._changes: list[Change] = []
        self.groups = Groups(lambda: self.messenger, self.conversations, self._api, clock, self._published)
        self.invitations = Invitations(
            *(self.url, GroupInvitationsApi(self._connection), self.groups, self.conversations, self._tell)
        )
        self.reports = Reports(database, self._connection)
        self.blocks = Blocks(database, BlocksApi(self._connection), self._changed.set)
        settings = ConversationSettingsApi(self._connection)
        self.settings = ConversationSettings(database, self.conversations, settings, clock, self._changed.set)
        naming = Naming(self._api, self.conversations, lambda id: self.messenger.accepted(id))
        self._messenger: Messenger | None = None
        files = AttachmentFiles(database.path.with_suffix(".files"), self._randomness)
        self._transfers = Transfers(database, self._connection, files, self._send_upload, self._tell)
        self._exchange = Exchange(
            *(self._api, self._transfers, naming, self.invitations, (self.blocks, self.settings)),
            *(clock, self.register, self._publish),
        )
        with contextlib.suppress(NotRegistered, LookupError):
            self._begin()

    # --- accounts -----------------------------------------------------------------------------------------------

    @classmethod
    async def log_in(
        cls,
        folders: AccountFolders,
        name: str,
        protection: Protection,
        url: str,
        username: str,
        password: str,
        *,
        replace: bool = False,
        link: Callable[[LinkCode], None] | None = None,
        **options: Any,
    ) -> Self:
        """Logs in and makes this a device of the account. `name`: of the folder. `url`: of the brand. If the account
        has other devices, `replace` removes them, so that they receive nothing any more, and `link` shows the code
        with which one of them approves this one (`link` of the class).

        Raises LinkRequired where there are others and neither is wanted, LinkRefused, ApiError, NoResponse,
        StorageError.
        """
        async with Connection(url, transport=options.get("transport")) as connection:
            tokens = await connection.log_in(username, password)
            api = MessagingApi(connection)
            others = [device["number"] for device in (await api.devices())["items"]]
            if others and not replace and link is None:
                raise LinkRequired
            for number in others if replace else ():
                await api.remove_device(number)
            tokens = connection.tokens

        def fill(database: Database) -> None:
            with database.transaction():
                Device(database, SystemRandomness()).prepare(tokens.account_id)
                state = State(database)
                state.put("url", {"url": url})
                state.put("username", {"username": username})
                state.put("tokens", asdict(tokens))

        database = folders.create(name, protection, fill)
        try:
            account = cls(database, **options)
            if others and not replace and link is not None:
                await account.link(link)
            else:
                await account.register()
        except BaseException:
            database.close()
            raise
        return account

    @classmethod
    def open(cls, folders: AccountFolders, name: str, passphrase: str | None = None, **options: Any) -> Self:
        """Opens an account that has logged in here before. Raises StorageError."""
        return cls(folders.open(name, passphrase), **options)

    async def log_in_again(self, password: str) -> None:
        """Begins another session, after SignedOut, and lets it act for this device. Raises ApiError, NoResponse,
        DeviceRemoved."""
        await self._connection.log_in(self.username, password)
        await self.register()

    async def register(self) -> None:
        """Makes this device one of the account, or lets the session act for it; a repetition does no harm. Raises
        LinkRequired, DeviceRemoved, ApiError, NoResponse, SignedOut."""
        await self.devices.register()
        if self._messenger is None:
            self._begin()

    @property
    def is_registered(self) -> bool:
        """Whether this device has ever been one of the account."""
        return self._device.is_registered

    async def link(self, show: Callable[[LinkCode], None]) -> None:
        """Asks the other devices of the account for their approval, and waits for it. `show`: shows the code. Raises
        LinkRefused, ApiError, NoResponse, SignedOut."""
        await self.devices.link(show)
        self._begin()

    def _begin(self) -> None:
        """Raises NotRegistered, or LookupError where the directory's keys are not known."""
        keys = self._state.get("directory_keys")
        directory = DirectoryKeys(bytes.fromhex(keys["log"]), bytes.fromhex(keys["vrf"]))
        self._messenger = Messenger(self._database, directory)
        self._messenger.reads = self.sends_read_receipts
        self._writing = Writing(self._messenger, self.conversations, self._clock)

    async def close(self) -> None:
        await self._connection.close()
        self._database.close()

    # --- what the user does -------------------------------------------------------------------------------------

    async def conversation_with(self, username: str) -> str:
        """The id of the conversation with somebody; asks the server where it is not known. Raises ApiError, NoResponse,
        SignedOut, NotRegistered."""
        known = self.conversations.find(username)
        if known is not None:
            return known
        peer = await self._api.find_account(username)
        conversation_id = await self._api.open_conversation(peer)
        self.messenger.add_conversation(conversation_id, peer)
        self.conversations.name(conversation_id, username)
        return conversation_id

    def write(self, conversation_id: str, text: str, answers: int | None = None) -> int:
        """Writes a message. `answers`: the number of the one that it answers. Returns its number. Raises ValueError, as
        all that follows, if that is impossible: its text is for the user."""
        with self._doing() as writing:
            return writing.write(conversation_id, text, answers)

    def ask(self, conversation_id: str, question: str, options: Sequence[str], *, multiple: bool = False) -> int:
        """Writes a message that lets people choose. Returns its number."""
        with self._doing() as writing:
            return writing.ask(conversation_id, question, Poll(tuple(options), multiple))

    def vote(self, number: int, choices: Sequence[int]) -> None:
        """Chooses options of a poll, by their numbers from 0 on; none takes an earlier choice back."""
        with self._doing() as writing:
            writing.vote(number, tuple(choices))

    async def send_file(self, conversation_id: str, source: Path, text: str | None = None) -> None:
        """Sends a file, when that is possible, with a text or else its name. It is encrypted before this returns, and
        the message is written once it is at the server. Raises ValueError, whose text is for the user; OSError."""
        await self._transfers.add(conversation_id, source, text)
        self._exchange.move_files()

    async def save_file(self, number: int, position: int, target: Path) -> None:
        """Saves a file of a message as a new one, once all of it is what its author has sent. Raises FileExistsError,
        OSError, AttachmentRejected, ApiError, NoResponse, SignedOut, LookupError where there is none."""
        message = self.conversations.message(number)
        if message is None:
            raise LookupError("this message is not there any more")
        await self._transfers.save(message.attachments[position], target)

    def edit(self, number: int, text: str) -> None:
        """Replaces the text of an own message."""
        with self._doing() as writing:
            writing.edit(number, text)

    def delete(self, number: int) -> None:
        """Deletes an own message for everybody."""
        with self._doing() as writing:
            writing.delete(number)

    def react(self, number: int, emoji: str | None) -> None:
        """Reacts to a message; None takes the reaction back."""
        with self._doing() as writing:
            writing.react(number, emoji)

    def set_timer(self, conversation_id: str, expires_in_s: int | None) -> None:
        """Lets messages of a conversation disappear after so many seconds; None: they stay."""
        with self._doing() as writing:
            writing.set_timer(conversation_id, expires_in_s)

    def read(self, conversation_id: str) -> None:
        """The user has seen all messages of a conversation."""
        self.messenger.read(conversation_id, self._clock())
        self._exchange.wake()

    @contextlib.contextmanager
    def _doing(self) -> Iterator[Writing]:
        """What is done is shown and sent. Raises NotRegistered."""
        self.messenger  # noqa: B018
        yield self._writing
        self._published()

    def _published(self) -> None:
        self._publish()
        self._exchange.wake()

    @property
    def sends_read_receipts(self) -> bool:
        """Whether authors are told that the user has read their messages."""
        return bool(self._state.find("read_receipts") is not False)

    @sends_read_receipts.setter
    def sends_read_receipts(self, sends: bool) -> None:
        self._state.put("read_receipts", sends)
        if self._messenger is not None:
            self._messenger.reads = sends

    @property
    def shows_typing(self) -> bool:
        """Whether others are told when the user types. The server learns of it, too."""
        return bool(self._state.find("shows_typing") is not False)

    @shows_typing.setter
    def shows_typing(self, shows: bool) -> None:
        self._state.put("shows_typing", shows)

    async def typing(self, conversation_id: str) -> None:
        """The user types: tells the others, unless the user does not want that, there is no socket, or it was told just
        before. May be called with every key."""
        if self.shows_typing:
            conversation = self.conversations.conversation(conversation_id)
            await self._exchange.typing(conversation_id, conversation is not None and conversation.is_group)

    def safety_number(self, conversation_id: str) -> SafetyNumber | None:
        """What both people compare to know that nobody is between them; None before their keys were looked up."""
        return self.messenger.safety_number(conversation_id)

    @property
    def backups(self) -> Backups:
        """The backup of what is on this device."""
        return Backups(
            *(self._database, self._connection, self.account_id, self._randomness),
            lambda addresses: Operators(addresses, self._connection.access_token, self._operator_transport),
        )

    @property
    def messenger(self) -> Messenger:
        """Raises NotRegistered."""
        if self._messenger is None:
            raise NotRegistered("this device is not registered yet")
        return self._messenger

    async def changed(self) -> list[Change]:
        """Waits until something has changed that the user sees, and returns what."""
        await self._changed.wait()
        self._changed.clear()
        changes, self._changes = self._changes, []
        return changes

    # --- what goes on in the background ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Sends and receives until it is cancelled. Raises SignedOut, DeviceRemoved, RealtimeClosed where the session
        was ended, or LinkRequired or ApiError where a first log-in cannot be completed."""
        while self._messenger is None:
            try:
                await self.register()
            except NoResponse:
                await asyncio.sleep(_RETRY_S)
        await self._exchange.run(self._messenger)

    def _send_upload(self, upload: Upload, together_with: Callable[[], None]) -> None:
        with self._doing() as writing:
            writing.write_upload(upload, together_with)

    def _tell(self, change: Change) -> None:
        self._changes.append(change)
        self._changed.set()

    def _publish(self) -> None:
        if self._messenger is not None and self._messenger.changes:
            self._changes += self._messenger.changes
            self._messenger.changes.clear()
            self._changed.set()
            self._exchange.move_files()  # a file may have been deleted with its message
