"""Messages that could not be decrypted: a new session with the device that sent them, and a request to send them again.

Both are bounded, since whoever holds the server can damage any message: nobody's one-time prekeys run out by that, and
nobody sends the same message again and again. Nor does a message go to devices that it was not written for: whoever
has taken an account over could ask for what its former devices were sent.
"""

import hashlib
import json
from collections.abc import Iterable

from client.messaging import attachment_rows, polls
from client.messaging.contents import Quote, Resend, Text
from client.storage import Database
from crypto.identity import IdentityKey
from crypto.sessions import DeviceAddress

MAX_ASKED = 10
"""Of a device within an hour."""
MAX_RESENT = 5
"""How often a message is sent again."""
RESEND_MS = 7 * 86_400_000
"""How old a message may be that is sent again."""
_HOUR_MS = 3_600_000
_DIGEST = 16
"""Bytes that stand for an identity key: finding another one with the same takes 2^128 attempts."""


class Repair:
    """Callers hold the transaction."""

    def __init__(self, database: Database, own: DeviceAddress) -> None:
        self._database = database
        self._own = own

    def failed(self, conversation_id: str, seq: int, sender: DeviceAddress, now: int) -> Resend | None:
        """A message of a device could not be decrypted. Returns what to send; None for strangers, to whom anything that
        is sent would accept the conversation, and if that device was asked too often."""
        rows = self._database.rows("select 1 from conversations where id = ? and accepted", conversation_id)
        ((asked,),) = self._database.rows(
            "select count(*) from resends where account_id = ? and device = ? and asked_at > ?",
            *(*sender, now - _HOUR_MS),
        )
        if not rows or asked >= MAX_ASKED:
            return None
        self._database.execute("delete from resends where asked_at <= ?", now - _HOUR_MS)
        self._database.execute(
            "insert or ignore into resends (conversation_id, seq, account_id, device, asked_at) values (?, ?, ?, ?, ?)",
            *(conversation_id, seq, *sender, now),
        )
        self._database.execute("insert or ignore into renewals (account_id, device) values (?, ?)", *sender)
        return Resend(*sender, seq)

    def renewals(self) -> set[DeviceAddress]:
        """Devices that a new session has to be started with before anything is encrypted for them."""
        return {DeviceAddress(*row) for row in self._database.rows("select account_id, device from renewals")}

    def renewed(self, address: DeviceAddress) -> None:
        """There is a new session."""
        self._database.execute("delete from renewals where account_id = ? and device = ?", *address)

    def asked(self, conversation_id: str, resend: Resend, now: int) -> tuple[str, Text] | None:
        """A device of the conversation could not decrypt something. Returns the id and the content of the message that
        this device sends again, as it is now; None if it was not this device's, or is not there any more."""
        if (resend.account_id, resend.device) != self._own:
            return None
        rows = self._database.rows(
            "update messages set resent = resent + 1 where conversation_id = ? and account_id = ? and device = ?"
            " and seq = ? and text is not null and sent_at > ? and resent < ?"
            " returning number, message_id, text, quote, expires_in_s",
            *(conversation_id, *self._own, resend.seq, now - RESEND_MS, MAX_RESENT),
        )
        if not rows:
            return None
        ((number, message_id, text, quote, expires_in_s),) = rows
        attachments = attachment_rows.of_messages(self._database, (number,))[number]
        asked = polls.of_messages(self._database, (number,)).get(number)
        poll = None if asked is None else asked.poll
        return message_id, Text(text, quote and Quote(*json.loads(quote)), expires_in_s, resend.seq, attachments, poll)

    def written_for(self, message_id: str, devices: Iterable[IdentityKey]) -> None:
        """A message of this device is encrypted for these devices."""
        self._database.execute(
            "update messages set written_for = ? where account_id = ? and device = ? and message_id = ?",
            *(b"".join(_digests(devices)), *self._own, message_id),
        )

    def may_go_to(self, message_id: str, devices: Iterable[IdentityKey]) -> bool:
        """Whether a message may be sent again to all these devices: it is still there and was written for each."""
        rows = self._database.rows(
            "select written_for from messages where account_id = ? and device = ? and message_id = ?"
            " and text is not null and written_for is not null",
            *(*self._own, message_id),
        )
        return any(
            set(_digests(devices)) <= {known[at : at + _DIGEST] for at in range(0, len(known), _DIGEST)}
            for (known,) in rows
        )


def _digests(devices: Iterable[IdentityKey]) -> list[bytes]:
    return [hashlib.sha256(each.encode()).digest()[:_DIGEST] for each in devices]
