"""Messages of this device: written, then encrypted for each device of both accounts, then sent until an answer comes.

A message is encrypted once and sent as it is, however often that takes; it is encrypted anew only where the server says
that it has stored nothing because the devices have changed.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from client.messaging.body import Body, TextTooLong
from client.messaging.device import Device
from client.messaging.requests import Payload, Send
from client.storage import Database
from crypto.envelope import Envelope, MessageContent, Protocol, seal
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress, NoSession


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that the server has not accepted."""

    number: int
    conversation_id: str
    peer: str
    encrypted: bool


class Outgoing:
    """Callers hold the transaction."""

    def __init__(self, database: Database, device: Device, randomness: Randomness) -> None:
        self._database = database
        self._device = device
        self._randomness = randomness

    def add(self, conversation_id: str, text: str, now: int) -> int:
        """Adds a message to a conversation. Returns its number. Raises ValueError for an empty text, TextTooLong."""
        own, message_id = self._device.address, self._new_id()
        ((peer,),) = self._database.rows("select peer from conversations where id = ?", conversation_id)
        Body(message_id, peer, text).encode()  # what cannot be sent is not stored
        number = self._database.insert(
            "insert into messages (conversation_id, account_id, device, message_id, written_at, text)"
            " values (?, ?, ?, ?, ?, ?)",
            conversation_id,
            own.user,
            own.device,
            message_id,
            now,
            text,
        )
        self._database.execute(
            "insert into outgoing (number, conversation_id, client_id) values (?, ?, ?)",
            number,
            conversation_id,
            str(uuid.UUID(self._new_id())),
        )
        return number

    def heads(self) -> list[Pending]:
        """The first message of each conversation that the server has not accepted, the oldest first."""
        rows = self._database.rows(
            "select o.number, o.conversation_id, c.peer,"
            " exists (select 1 from outgoing_payloads as p where p.number = o.number)"
            " from outgoing as o join conversations as c on c.id = o.conversation_id"
            " where o.number in (select min(number) from outgoing group by conversation_id) order by o.number"
        )
        return [
            Pending(number, conversation_id, peer, bool(encrypted)) for number, conversation_id, peer, encrypted in rows
        ]

    def encrypt(self, pending: Pending, without: Collection[DeviceAddress]) -> tuple[DeviceAddress, ...]:
        """Encrypts a message for all devices, but those of `without` that have no session. Returns those that a
        session has to be started with first; then nothing has happened."""
        own = self._device.address.user
        ((message_id, text),) = self._database.rows(
            "select message_id, text from messages where number = ?", pending.number
        )
        sealed = seal(MessageContent(Body(message_id, pending.peer, text).encode()), self._randomness)
        sessions = self._device.open_sessions((own, pending.peer))
        try:
            encrypted = sessions.encrypt_for(pending.peer, own, sealed.plaintext, self._randomness, without)
        except NoSession as error:
            return error.addresses
        for address, ciphertext in encrypted.items():
            self._database.execute(
                "insert into outgoing_payloads (number, account_id, device, envelope) values (?, ?, ?, ?)",
                pending.number,
                address.user,
                address.device,
                Envelope(Protocol.SESSION, sealed.commitment, ciphertext).encode(),
            )
        return ()

    def request(self, pending: Pending) -> Send:
        """Returns the request for an encrypted message."""
        ((client_id,),) = self._database.rows("select client_id from outgoing where number = ?", pending.number)
        rows = self._database.rows(
            "select account_id, device, envelope from outgoing_payloads where number = ? order by account_id, device",
            pending.number,
        )
        payloads = tuple(Payload(DeviceAddress(user, device), envelope) for user, device, envelope in rows)
        return Send(pending.number, pending.conversation_id, client_id, payloads)

    def accepted(self, number: int, seq: int, sent_at: int) -> None:
        """The server has stored a message."""
        self._database.execute("update messages set seq = ?, sent_at = ? where number = ?", seq, sent_at, number)
        self._database.execute("delete from outgoing where number = ?", number)

    def refused(self, number: int, code: str) -> None:
        """The server will never take a message."""
        self._database.execute("update messages set problem = ? where number = ?", code, number)
        self._database.execute("delete from outgoing where number = ?", number)

    def refuse_too_long(self) -> list[int]:
        """Refuses messages of former versions of this client, which stored more than can be sent. Returns them."""
        rows = self._database.rows(
            "select o.number, m.message_id, c.peer, m.text from outgoing as o join messages as m on m.number = o.number"
            " join conversations as c on c.id = o.conversation_id"
            " where not exists (select 1 from outgoing_payloads as p where p.number = o.number)"
        )
        refused = []
        for number, message_id, peer, text in rows:
            try:
                Body(message_id, peer, text).encode()
            except TextTooLong:
                self.refused(number, "too_long")
                refused.append(number)
        return refused

    def devices_changed(self, number: int) -> None:
        """The server has stored nothing: encrypts anew, for the devices that are there then."""
        self._database.execute("delete from outgoing_payloads where number = ?", number)

    def _new_id(self) -> str:
        return self._randomness.random_bytes(16).hex()
