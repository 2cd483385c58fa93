"""What this device sends: written, then encrypted for each device of both accounts, then sent until an answer comes.

A body is encrypted once and sent as it is, however often that takes; it is encrypted anew only where the server says
that it has stored nothing because the devices have changed.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from client.messaging.body import MAX_ENCODED, BadBody, Body
from client.messaging.contents import Content, Text
from client.messaging.device import Device
from client.messaging.groups.requests import SendToGroup
from client.messaging.requests import Payload, Send
from client.storage import Database
from crypto.envelope import Envelope, MessageContent, Protocol, seal
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress, NoSession

MIN_EXPIRES_S = 86_400
"""How long at least what disappears waits for a device that is away: nobody has read it before."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A body that the server has not accepted."""

    number: int
    conversation_id: str
    peer: str
    encrypted: bool

    @property
    def to_group(self) -> bool:
        """Whether it is for a group: that is its own peer."""
        return self.peer == self.conversation_id


class Outgoing:
    """Callers hold the transaction."""

    def __init__(self, database: Database, device: Device, randomness: Randomness) -> None:
        self._database = database
        self._device = device
        self._randomness = randomness

    def add(self, conversation_id: str, content: Content, message_id: str | None = None) -> Body:
        """Adds a body to a conversation. `message_id`: of a message that is sent again. Raises ValueError, which says
        what is wrong with it."""
        ((peer,),) = self._database.rows("select peer from conversations where id = ?", conversation_id)
        body = Body(message_id or self._new_id(), peer, content)
        self._database.execute(
            "insert into outgoing (conversation_id, client_id, body) values (?, ?, ?)",
            conversation_id,
            str(uuid.UUID(self._new_id())),
            body.encode(),  # what cannot be sent is not stored
        )
        return body

    def heads(self) -> list[Pending]:
        """The first body of each conversation that the server has not accepted, the oldest first."""
        rows = self._database.rows(
            "select o.number, o.conversation_id, c.peer,"
            " exists (select 1 from outgoing_payloads as p where p.number = o.number)"
            " from outgoing as o join conversations as c on c.id = o.conversation_id"
            " where o.number in (select min(number) from outgoing group by conversation_id) order by o.number"
        )
        return [
            Pending(number, conversation_id, peer, bool(encrypted)) for number, conversation_id, peer, encrypted in rows
        ]

    def body(self, number: int) -> Body | None:
        """A body that waits; None if there is none of this number any more."""
        rows = self._database.rows("select body from outgoing where number = ?", number)
        return Body.decode(rows[0][0]) if rows else None

    def bodies(self, conversation_id: str) -> list[Body]:
        """What waits in a conversation, in its order."""
        rows = self._database.rows(
            "select body from outgoing where conversation_id = ? order by number", conversation_id
        )
        return [Body.decode(body) for (body,) in rows]

    def encrypt(
        self, pending: Pending, without: Collection[DeviceAddress], renew: Collection[DeviceAddress]
    ) -> tuple[DeviceAddress, ...]:
        """Encrypts a body for all devices, but those of `without` that have no session. Returns those that a
        session has to be started with first, those of `renew` among them; then nothing has happened."""
        own = self._device.address.user
        ((body,),) = self._database.rows("select body from outgoing where number = ?", pending.number)
        sealed = seal(MessageContent(body), self._randomness)
        sessions = self._device.open_sessions((own, pending.peer))
        try:
            encrypted = sessions.encrypt_for(pending.peer, own, sealed.plaintext, self._randomness, without, renew)
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
        """Returns the request for an encrypted body."""
        ((client_id, encoded),) = self._database.rows(
            "select client_id, body from outgoing where number = ?", pending.number
        )
        rows = self._database.rows(
            "select account_id, device, envelope from outgoing_payloads where number = ? order by account_id, device",
            pending.number,
        )
        payloads = tuple(Payload(DeviceAddress(user, device), envelope) for user, device, envelope in rows)
        return Send(pending.number, pending.conversation_id, client_id, payloads, _expires_in_s(encoded))

    def encrypted(self, pending: Pending, message: bytes) -> None:
        """A body is encrypted for a group, once for all devices."""
        self._database.execute(
            "insert into outgoing_payloads (number, account_id, device, envelope) values (?, ?, 0, ?)",
            *(pending.number, pending.conversation_id, message),
        )

    def group_request(self, pending: Pending) -> SendToGroup:
        """Returns the request for a body that is encrypted for a group."""
        ((client_id, encoded, message),) = self._database.rows(
            "select client_id, body, envelope from outgoing join outgoing_payloads using (number) where number = ?",
            pending.number,
        )
        return SendToGroup(pending.number, pending.conversation_id, client_id, message, _expires_in_s(encoded))

    def forget(self, number: int) -> None:
        """The server has stored a body, or will never take it."""
        self._database.execute("delete from outgoing where number = ?", number)

    def too_long(self) -> list[tuple[int, str]]:
        """Bodies of former versions of this client, which stored more than can be sent: (number, message id)."""
        rows = self._database.rows(
            "select o.number, o.body, json_extract(cast(o.body as text), '$.id') from outgoing as o"
            " where not exists (select 1 from outgoing_payloads as p where p.number = o.number)"
        )
        return [(number, message_id) for number, body, message_id in rows if not _can_be_sent(body)]

    def encrypt_anew(self, number: int) -> None:
        """The server has stored nothing: encrypts anew, for the devices, or in the epoch, that are there then."""
        self._database.execute("delete from outgoing_payloads where number = ?", number)

    def _new_id(self) -> str:
        return self._randomness.random_bytes(16).hex()


def _expires_in_s(encoded: bytes) -> int | None:
    """How long the server keeps a body."""
    content = Body.decode(encoded).content
    if isinstance(content, Text) and content.expires_in_s is not None:
        return max(content.expires_in_s, MIN_EXPIRES_S)
    return None


def _can_be_sent(body: bytes) -> bool:
    try:
        Body.decode(body)
    except BadBody:
        return False
    return len(body) <= MAX_ENCODED
