"""Messages of others: stored as they came, then decrypted into the conversation.

What is stored is acknowledged; the server may forget it. The session's new state and the message that it gave are
written in one transaction, so a message is read once, however often it comes.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from client.messaging import evidence
from client.messaging.body import BadBody, Body
from client.messaging.changes import Change
from client.messaging.contents import Resend
from client.messaging.device import Device, Sessions
from client.messaging.directory import Directory
from client.messaging.requests import InboxItem
from client.messaging.timeline import Timeline
from client.storage import Database
from crypto.envelope import Envelope, Protocol, open_content
from crypto.errors import CryptoError
from crypto.franking import FrankedMessage
from crypto.sessions import DecryptionFailed, DeviceAddress, Failure, UnknownDevice

BATCH = 50


@dataclass(frozen=True, slots=True)
class Decrypted:
    """`changes`: what has come of it. `failed`: (conversation, number, sender) of what could not be decrypted. `asked`:
    what others could not, by conversation.
    `unknown`: accounts to look up, since devices of theirs have written that are not
    known; `waiting`: the conversations that wait for that. `progress`: something was decrypted or given up."""

    changes: list[Change]
    failed: list[tuple[str, int, DeviceAddress]]
    asked: list[tuple[str, Resend]]
    unknown: set[str]
    waiting: set[str]
    progress: bool


class _Unreadable(Exception):
    """A message that is shown as a problem."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Incoming:
    """Callers hold the transaction."""

    def __init__(self, database: Database, device: Device, directory: Directory, timeline: Timeline) -> None:
        self._database = database
        self._device = device
        self._directory = directory
        self._timeline = timeline

    def store(self, items: Iterable[InboxItem], *, pushed: bool = False) -> bool:
        """Stores what is new, in the order in which it comes. Returns whether a message before a pushed one is missing:
        then it is not stored, and the inbox has to be fetched."""
        own, missing = self._device.address, False
        for item in items:
            received = self._received(item)
            if received is None or item.seq <= received:
                continue
            if pushed and not 0 < item.previous <= received:
                missing = True
                continue
            if item.sender != own and item.sender.user in (own.user, item.peer):
                self._database.execute(
                    "insert into incoming (conversation_id, seq, account_id, device, sent_at, envelope, delivery_tag)"
                    " values (?, ?, ?, ?, ?, ?, ?)",
                    item.conversation_id,
                    item.seq,
                    item.sender.user,
                    item.sender.device,
                    item.sent_at,
                    item.envelope,
                    item.delivery_tag,
                )
            self._database.execute("update conversations set received = ? where id = ?", item.seq, item.conversation_id)
        return missing

    def _received(self, item: InboxItem) -> int | None:
        """The newest number in the item's conversation; None if the server has said that it is with somebody else."""
        self._database.execute(
            "insert into conversations (id, peer) values (?, ?) on conflict (id) do nothing",
            item.conversation_id,
            item.peer,
        )
        ((peer, received),) = self._database.rows(
            "select peer, received from conversations where id = ?", item.conversation_id
        )
        return int(received) if peer == item.peer else None

    def unacknowledged(self) -> dict[str, int]:
        """By conversation, the newest message that is stored here and not acknowledged. A group waits until this device
        has what it has to read by itself, or has entered: the server forgets it then."""
        rows = self._database.rows(
            "select id, received from conversations where received > acknowledged and not exists (select 1 from"
            " group_incoming where group_id = id and (content = 'welcome' or message is null)) limit 100"
        )
        return dict(rows)

    def acknowledged(self, received: Iterable[tuple[str, int]]) -> None:
        """The server knows that these are stored."""
        for conversation_id, seq in received:
            self._database.execute(
                "update conversations set acknowledged = max(acknowledged, ?) where id = ?", seq, conversation_id
            )

    def decrypt(self, now: int, waiting: Collection[str] = ()) -> Decrypted:
        """Decrypts a batch of what is stored, except in the conversations that wait."""
        rows = self._database.rows(
            "select conversation_id, seq, account_id, device, sent_at, envelope, delivery_tag, peer from incoming"
            " join conversations on id = conversation_id"
            " where conversation_id not in (select value from json_each(?)) order by seq limit ?",
            json.dumps(list(waiting)),
            BATCH,
        )
        found = Decrypted([], [], [], set(), set(), bool(rows))
        if not rows:
            return found
        sessions = self._device.open_sessions({account_id for _, _, account_id, *_ in rows})
        for conversation_id, seq, account_id, device, sent_at, envelope, tag, peer in rows:
            if conversation_id in found.waiting:
                continue
            sender = DeviceAddress(account_id, device)
            problem = None
            try:
                body, franked = self._open(sessions, sender, envelope, peer)
                changes = self._timeline.apply(conversation_id, sender, body, seq, sent_at, now)
                if account_id == peer:
                    evidence.keep(self._database, body.content, changes, seq, franked, tag)
                found.changes.extend(changes)
                if isinstance(body.content, Resend):
                    found.asked.append((conversation_id, body.content))
            except UnknownDevice:
                if self._directory.may_show(account_id, sent_at, now):
                    found.waiting.add(conversation_id)
                    found.unknown.add(account_id)
                    continue
                problem = "unknown_device"
            except _Unreadable as error:
                problem = error.problem
            except DecryptionFailed as error:
                if error.failure is not Failure.DUPLICATE:
                    problem = f"not_decrypted_{error.failure}"
                    found.failed.append((conversation_id, seq, sender))
            if problem is not None:
                found.changes.extend(self._timeline.problem(conversation_id, sender, seq, sent_at, now, problem))
            self._database.execute("delete from incoming where conversation_id = ? and seq = ?", conversation_id, seq)
        sessions.write_used()
        return found

    def _open(
        self, sessions: Sessions, sender: DeviceAddress, encoded: bytes, peer: str
    ) -> tuple[Body, FrankedMessage]:
        try:
            envelope = Envelope.decode(encoded)
        except CryptoError as error:
            raise _Unreadable("malformed") from error
        if envelope.protocol is not Protocol.SESSION:
            raise _Unreadable("malformed")
        plaintext = sessions.decrypt(sender, envelope.ciphertext)
        own = self._device.address.user
        try:
            opened = open_content(plaintext, envelope.commitment)
            body = Body.decode(opened.content.body)
        except CryptoError as error:
            raise _Unreadable("malformed") from error
        except BadBody as error:
            raise _Unreadable(error.code) from error
        if body.to != (peer if sender.user == own else own):
            raise _Unreadable("misdirected")
        return body, opened.franked
