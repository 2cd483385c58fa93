"""Sessions with all devices of all users: Signal's Sesame (revision 2, §3) as a pure state machine.

One active session per pair of devices. The rosters come from the key directory; the caller keeps the states.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crypto import wire
from crypto.errors import DecodeError
from crypto.handshake import (
    HandshakeError,
    HandshakeVersion,
    PreKeyBundle,
    PreKeyStore,
    ReplayedHandshake,
    initiate,
    respond,
)
from crypto.identity import IdentityKey, IdentityKeyPair
from crypto.randomness import Randomness
from crypto.ratchet import DEFAULT_PARAMETERS, VERSION_1_PARAMETERS, DoubleRatchet, MessageRejected, Rejection
from crypto.sessions.address import DeviceAddress
from crypto.sessions.device_record import DeviceRecord, Session
from crypto.sessions.errors import (
    DecryptionFailed,
    Failure,
    IdentityMismatch,
    NoSession,
    UnknownDevice,
)
from crypto.sessions.message import Initiation, SessionMessage

# The version is an input of the handshake's KDF, so nobody between the devices can choose the older ratchet. X3DH alone
# is refused here.
_PARAMETERS = {
    HandshakeVersion.HYBRID: VERSION_1_PARAMETERS,
    HandshakeVersion.HYBRID_REKEYING: DEFAULT_PARAMETERS,
}

# When several sessions refuse a message, the first of these is what the caller learns.
_MOST_TELLING = (Rejection.DUPLICATE, Rejection.TOO_FAR, Rejection.MALFORMED, Rejection.UNAUTHENTIC)


def _context(initiator: DeviceAddress, responder: DeviceAddress, generation: int) -> bytes:
    """What the associated data binds besides the identities: nobody can relabel or reorder initiations."""
    return initiator.encode() + responder.encode() + wire.u32(generation)


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What a new roster changed. ``replaced`` have another identity key now: tell the user."""

    added: tuple[DeviceAddress, ...]
    replaced: tuple[DeviceAddress, ...]
    stale: tuple[DeviceAddress, ...]


class SessionStore:
    """The sessions of one device. Not safe for concurrent use.

    After every call that changes something, the caller stores ``state_of(address)``, and after ``decrypt``
    also the prekey store, in one transaction, before it sends or acknowledges anything.
    """

    __slots__ = ("_identity", "_own", "_prekeys", "_users")

    def __init__(
        self,
        own: DeviceAddress,
        identity: IdentityKeyPair,
        prekeys: PreKeyStore,
        states: Iterable[bytes] = (),
    ) -> None:
        """``states``: what ``state_of`` returned. Raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        self._own = own
        self._identity = identity
        self._prekeys = prekeys
        self._users: dict[str, dict[int, DeviceRecord]] = {}
        for state in states:
            record = DeviceRecord.decode(state)
            self._users.setdefault(record.address.user, {})[record.address.device] = record

    def __repr__(self) -> str:
        return f"SessionStore({self._own}, users={len(self._users)})"

    def _record(self, address: DeviceAddress) -> DeviceRecord:
        record = self._users.get(address.user, {}).get(address.device)
        if record is None:
            raise UnknownDevice(address)
        return record

    def state_of(self, address: DeviceAddress) -> bytes:
        """The versioned state of one device record, with its secrets. Raises ``UnknownDevice``."""
        return self._record(address).encode()

    def update_roster(self, user: str, devices: Mapping[int, IdentityKey], now: int) -> RosterChange:
        """Take over the directory's list of a user's devices (of the own account, too).

        Devices that are gone become stale at ``now`` (seconds): nothing is encrypted for them any more.
        A device with a new identity key is a new device; its old sessions are deleted.
        Raises ``ValueError`` for an impossible address.
        """
        for device in devices:
            DeviceAddress(user, device).encode()
        records = self._users.setdefault(user, {})
        added: list[DeviceAddress] = []
        replaced: list[DeviceAddress] = []
        stale: list[DeviceAddress] = []
        for device, identity in devices.items():
            address = DeviceAddress(user, device)
            if address == self._own:
                continue
            known = records.get(device)
            if known is not None and known.identity == identity:
                known.stale_since = None
                continue
            (added if known is None else replaced).append(address)
            records[device] = DeviceRecord(address, identity)
        for device, record in records.items():
            if device not in devices and record.stale_since is None:
                record.stale_since = now
                stale.append(record.address)
        return RosterChange(tuple(added), tuple(replaced), tuple(stale))

    def expire(self, now: int, keep_for: int) -> tuple[DeviceAddress, ...]:
        """Delete devices that have been stale for more than ``keep_for`` seconds and return them."""
        expired = tuple(
            record.address
            for records in self._users.values()
            for record in records.values()
            if record.stale_since is not None and now - record.stale_since > keep_for
        )
        for address in expired:
            del self._users[address.user][address.device]
        return expired

    def devices(self, user: str) -> tuple[DeviceAddress, ...]:
        """The devices that a message to ``user`` goes to."""
        return tuple(record.address for record in self._users.get(user, {}).values() if record.stale_since is None)

    def without_session(self, user: str) -> tuple[DeviceAddress, ...]:
        """The devices of ``user`` that need a bundle and ``start`` before a message can go out."""
        return tuple(address for address in self.devices(user) if self._record(address).active is None)

    def start(self, address: DeviceAddress, bundle: PreKeyBundle, randomness: Randomness) -> None:
        """Begin a new session with a device, which becomes the active one.

        Raises ``UnknownDevice``, ``IdentityMismatch`` or a ``HandshakeError``.
        """
        record = self._record(address)
        if record.identity != bundle.identity:
            raise IdentityMismatch("the bundle's identity key is not the one in the roster")
        agreement = initiate(
            self._identity,
            bundle,
            randomness,
            context=_context(self._own, address, record.generation),
            hybrid=HandshakeVersion.HYBRID_REKEYING,
        )
        ratchet = DoubleRatchet.initiate(
            agreement.shared_secret,
            agreement.ratchet_key,
            agreement.associated_data,
            randomness,
            _PARAMETERS[agreement.header.version],
        )
        record.activate(Session(agreement.header.ephemeral, ratchet, True, record.generation, agreement.header))

    def reset(self, address: DeviceAddress) -> None:
        """Forget all sessions with a device that says it cannot read us: ``start`` comes next."""
        self._record(address).start_over()

    def encrypt(self, address: DeviceAddress, plaintext: bytes, randomness: Randomness) -> bytes:
        """A message for one device. Raises ``UnknownDevice``, ``NoSession`` or ``CannotSend``."""
        record = self._record(address)
        if record.stale_since is not None:
            raise UnknownDevice(address)
        session = record.active
        if session is None:
            raise NoSession((address,))
        header = session.unanswered
        initiation = None if header is None else Initiation(header, session.generation)
        return SessionMessage(initiation, session.ratchet.encrypt(plaintext, randomness)).encode()

    def encrypt_for(self, users: Iterable[str], plaintext: bytes, randomness: Randomness) -> dict[DeviceAddress, bytes]:
        """A message for every device of ``users``: the receiver's, and the own account's other ones.

        Raises ``NoSession``, which lists all devices that need one, before anything is encrypted.
        """
        users = tuple(users)
        missing = tuple(address for user in users for address in self.without_session(user))
        if missing:
            raise NoSession(missing)
        return {
            address: self.encrypt(address, plaintext, randomness) for user in users for address in self.devices(user)
        }

    def decrypt(self, address: DeviceAddress, message: bytes) -> bytes:
        """The plaintext of a message from ``address``. Raises ``UnknownDevice`` or ``DecryptionFailed``."""
        record = self._record(address)
        try:
            initiation, ratchet_message = SessionMessage.decode(message)
        except DecodeError:
            raise DecryptionFailed(Failure.MALFORMED) from None
        if initiation is None:
            return self._decrypt(record, record.sessions, ratchet_message)
        header, generation = initiation
        if header.identity != record.identity:
            raise DecryptionFailed(Failure.IDENTITY)
        for session in record.sessions:
            if session.id == header.ephemeral and not session.initiated:
                return self._decrypt(record, [session], ratchet_message)
        try:
            agreement = respond(self._identity, self._prekeys, header, context=_context(address, self._own, generation))
        except ReplayedHandshake:
            raise DecryptionFailed(Failure.DUPLICATE) from None
        except HandshakeError:
            raise DecryptionFailed(Failure.HANDSHAKE) from None
        ratchet = DoubleRatchet.respond(
            agreement.shared_secret, agreement.ratchet_key, agreement.associated_data, _PARAMETERS[header.version]
        )
        try:
            plaintext = ratchet.decrypt(ratchet_message)
        except MessageRejected as rejected:
            raise DecryptionFailed(Failure(rejected.reason)) from None
        self._prekeys.consume(header)
        record.received_first(Session(header.ephemeral, ratchet, False, generation))
        return plaintext

    @staticmethod
    def _decrypt(record: DeviceRecord, sessions: list[Session], ratchet_message: bytes) -> bytes:
        """Try ``sessions`` in turn, the active one first; a refusal changes none of them."""
        reasons = {Rejection.UNAUTHENTIC}
        for session in sessions:
            try:
                plaintext = session.ratchet.decrypt(ratchet_message)
            except MessageRejected as rejected:
                reasons.add(rejected.reason)
                continue
            record.received(session)
            return plaintext
        raise DecryptionFailed(Failure(next(reason for reason in _MOST_TELLING if reason in reasons)))
