"""Sending to the devices of two accounts: keys and sessions first, then the same ciphertext until an answer comes."""

from collections.abc import Iterable, Iterator

from client.messaging.changes import Change, DevicesUnreachable
from client.messaging.contents import Text
from client.messaging.device import Device
from client.messaging.directory import Directory
from client.messaging.outgoing import Outgoing, Pending
from client.messaging.repair import Repair
from client.messaging.requests import LookUpKeys, PreKeysTaken, Send, TakePreKeys
from client.storage import Database
from crypto.errors import CryptoError
from crypto.handshake import PreKeyBundle
from crypto.identity import IdentityKey
from crypto.randomness import Randomness
from crypto.sessions import DeviceAddress


class NoDevices(Exception):
    """All devices of the other account are gone, perhaps only for now."""


class PairSending:
    """Opens transactions by itself."""

    def __init__(
        self,
        database: Database,
        device: Device,
        directory: Directory,
        outgoing: Outgoing,
        repair: Repair,
        randomness: Randomness,
    ) -> None:
        self._database = database
        self._device = device
        self._own = device.address.user
        self._directory = directory
        self._outgoing = outgoing
        self._repair = repair
        self._randomness = randomness
        self._unreachable: set[DeviceAddress] = set()  # had no prekeys; left out unless the server asks for them
        self._told_unreachable: set[DeviceAddress] = set()

    def requests(self, pending: Pending, now: int) -> Iterator[LookUpKeys | TakePreKeys | Send]:
        """What is to be asked to send a body. Raises NoDevices."""
        if not pending.encrypted:
            due = [each for each in (self._own, pending.peer) if self._directory.due(each, now)]
            if due:
                yield from (self._directory.request(account_id) for account_id in due)
                return
            if not self._directory.devices(pending.peer):
                self._directory.distrust(pending.peer)
                raise NoDevices
            with self._database.transaction():
                body = self._outgoing.body(pending.number)
                if body is not None and isinstance(body.content, Text) and body.content.again is None:
                    self._repair.written_for(body.id, self._audience(pending))
                missing = self._outgoing.encrypt(pending, self._unreachable, self._repair.renewals())
            if missing:
                account_id = missing[0].user
                yield TakePreKeys(account_id, tuple(each.device for each in missing if each.user == account_id))
                return
        yield self._outgoing.request(pending)

    def withdraw(self, pending: Pending) -> bool:
        """Forgets a message that was to be sent again and must not be any more. Returns whether it has."""
        body = None if pending.encrypted else self._outgoing.body(pending.number)
        if body is None or not isinstance(body.content, Text) or body.content.again is None:
            return False
        if self._repair.may_go_to(body.id, self._audience(pending)):
            return False
        with self._database.transaction():
            self._outgoing.forget(pending.number)
        return True

    def devices_changed(self, request: Send) -> None:
        """The server has stored nothing, since the devices are others."""
        self._unreachable.clear()  # the server may ask for one of these
        with self._database.transaction():
            self._outgoing.encrypt_anew(request.number)
            for account_id in {self._own, *(payload.address.user for payload in request.payloads)}:
                self._directory.distrust(account_id)

    def start_sessions(self, request: TakePreKeys, response: PreKeysTaken) -> tuple[bool, list[Change]]:
        """Returns whether there is a session with each of the devices now, and what the user is told."""
        changes: list[Change] = []
        asked = {number: DeviceAddress(request.account_id, number) for number in request.devices}
        unreachable = {address for number, address in asked.items() if number not in response.bundles}
        self._unreachable = (self._unreachable - set(asked.values())) | unreachable
        if new := unreachable - self._told_unreachable:
            changes.append(DevicesUnreachable(request.account_id, tuple(sorted(each.device for each in new))))
        self._told_unreachable = (self._told_unreachable - set(asked.values())) | unreachable
        with self._database.transaction():
            complete = self._start(asked.items(), request.account_id, response)
        return complete, changes

    def _start(self, asked: Iterable[tuple[int, DeviceAddress]], account_id: str, response: PreKeysTaken) -> bool:
        complete = True
        sessions = self._device.open_sessions((account_id,))
        for number, address in asked:
            try:
                bundle = PreKeyBundle.decode(response.bundles[number])
                sessions.start(address, bundle, self._randomness)
                self._repair.renewed(address)
            except (KeyError, CryptoError):  # none yet, gone, or another key than in the directory: look again
                self._directory.distrust(account_id)
                complete = False
        return complete

    def _audience(self, pending: Pending) -> list[IdentityKey]:
        """The devices of both accounts, as known."""
        return [key for user in (self._own, pending.peer) for key in self._directory.devices(user).values()]
