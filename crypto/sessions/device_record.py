"""The sessions with one device and which of them is used to send (Sesame §3.1 DeviceRecord, §3.2, §3.4)."""

from dataclasses import dataclass, field

from crypto import curve25519, wire
from crypto.handshake import InitialHeader
from crypto.identity import IdentityKey
from crypto.ratchet import DoubleRatchet
from crypto.sessions.address import MAX_USER_LENGTH, DeviceAddress

STATE_VERSION = 1
MAX_INACTIVE = 5
MAX_GENERATION = 2**32 - 1
_MAX_STATE = 1 << 20


@dataclass(slots=True)
class Session:
    """One ratchet. ``id`` is the ephemeral key of the handshake (32 bytes), the same on both sides.

    ``generation``: of the record when the session began (see there).
    ``unanswered``: on the initiator's side the header that is sent until the first message comes back.
    ``beaten_by``: the session that this one lost against when both sides initiated at once.
    """

    id: bytes
    ratchet: DoubleRatchet
    initiated: bool
    generation: int
    unanswered: InitialHeader | None = None
    beaten_by: bytes | None = None

    def encode(self) -> bytes:
        return b"".join(
            (
                self.id,
                wire.u8(self.initiated),
                wire.u32(self.generation),
                wire.block(b"" if self.unanswered is None else self.unanswered.encode()),
                wire.block(self.beaten_by or b""),
                wire.block(self.ratchet.serialize()),
            )
        )

    @classmethod
    def read(cls, reader: wire.Reader) -> "Session":
        number, initiated, generation = (
            reader.take(curve25519.KEY_LENGTH),
            reader.flag(),
            reader.integer(4),
        )
        header, beaten_by = reader.block(_MAX_STATE), reader.optional_block(curve25519.KEY_LENGTH)
        ratchet = DoubleRatchet.restore(reader.block(_MAX_STATE))
        unanswered = InitialHeader.decode(header) if header else None
        return cls(number, ratchet, initiated, generation, unanswered, beaten_by or None)


@dataclass(slots=True)
class DeviceRecord:
    """A device, its identity from the roster, and its sessions: ``sessions[0]`` is active, the rest receive.

    ``stale_since``: when (seconds) the device left the roster; its late messages can still be read.
    ``generation``: how often one of the two sides has started over, as far as this side knows. A session of a
    newer generation is preferred, because whoever started over may have lost the older ones.
    """

    address: DeviceAddress
    identity: IdentityKey
    stale_since: int | None = None
    generation: int = 0
    sessions: list[Session] = field(default_factory=list)

    @property
    def active(self) -> Session | None:
        """The session to send on."""
        return self.sessions[0] if self.sessions else None

    def activate(self, session: Session) -> None:
        """Make ``session`` the active one; beyond five inactive ones the least recently used is dropped."""
        session.beaten_by = None
        self.sessions = [session] + [other for other in self.sessions if other is not session]
        del self.sessions[1 + MAX_INACTIVE :]

    def start_over(self) -> None:
        """Forget all sessions: what is initiated next outdoes whatever the other side still has underway."""
        self.sessions.clear()
        self.generation = min(self.generation + 1, MAX_GENERATION)

    def received_first(self, session: Session) -> None:
        """A message of the other side has opened the new ``session``.

        If we have initiated one ourselves that is still unanswered, the two have crossed. Both sides then
        keep the one of the newer generation or else the one with the smaller id, so they settle without
        another exchange. Otherwise the other side knows best why it started anew.
        """
        self.generation = max(self.generation, session.generation)
        active = self.active
        if (
            active is not None
            and active.unanswered is not None
            and (-active.generation, active.id) < (-session.generation, session.id)
        ):
            session.beaten_by = active.id
            self.sessions.insert(1, session)
            del self.sessions[1 + MAX_INACTIVE :]
            return
        beaten = active if active is not None and active.unanswered is not None else None
        self.activate(session)
        if beaten is not None:
            beaten.beaten_by = session.id

    def received(self, session: Session) -> None:
        """A message has been decrypted on a session that was there before: the other side has it, too."""
        session.unanswered = None
        active = self.active
        if active is not None and active is not session and session.beaten_by != active.id:
            self.activate(session)

    def encode(self) -> bytes:
        """version(1) | user block | device(4) | identity(33) | flag [stale since(8)] | generation(4)
        | count | sessions.
        """
        return b"".join(
            (
                wire.u8(STATE_VERSION),
                self.address.encode(),
                self.identity.encode(),
                b"\x00" if self.stale_since is None else b"\x01" + wire.u64(self.stale_since),
                wire.u32(self.generation),
                wire.u32(len(self.sessions)),
                *(session.encode() for session in self.sessions),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "DeviceRecord":
        """The inverse of ``encode``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(data, "device record")
        reader.state_version(STATE_VERSION)
        address = DeviceAddress(reader.text(MAX_USER_LENGTH), reader.integer(4))
        identity = IdentityKey.decode(reader.take(curve25519.ENCODED_LENGTH))
        stale_since = reader.integer(8) if reader.flag() else None
        generation = reader.integer(4)
        sessions = [Session.read(reader) for _ in range(reader.count(1 + MAX_INACTIVE))]
        reader.finish()
        return cls(address, identity, stale_since, generation, sessions)
