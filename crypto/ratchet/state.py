"""The variables of a session (Double Ratchet specification §3.2, §4.3) and their stored form."""

from dataclasses import dataclass

from crypto import wire
from crypto.errors import DecodeError
from crypto.ratchet.header import MAX_CHAIN, MAX_NUMBER
from crypto.ratchet.kdf import KEY_LENGTH
from crypto.ratchet.parameters import RatchetParameters
from crypto.ratchet.rekey import Rekeying
from crypto.ratchet.skipped import SkippedKeys

STATE_VERSION = 2  # version 1 has no rekeying
MAX_ASSOCIATED_DATA = 1 << 16


@dataclass(slots=True, repr=False)
class RatchetState:
    """Keys are 32 bytes or None; the specification's name of each variable follows it."""

    associated_data: bytes  # AD
    root_key: bytes  # RK
    skipped: SkippedKeys  # MKSKIPPED
    own_private: bytes | None = None  # DHs; None while the next sending chain is deferred (§6.5)
    own_public: bytes | None = None
    their_public: bytes | None = None  # DHr
    sending_chain: bytes | None = None  # CKs
    receiving_chain: bytes | None = None  # CKr
    sent: int = 0  # Ns
    received: int = 0  # Nr
    previous_sent: int = 0  # PN
    sending_header: bytes | None = None  # HKs
    receiving_header: bytes | None = None  # HKr
    next_sending_header: bytes | None = None  # NHKs
    next_receiving_header: bytes | None = None  # NHKr
    rekeying: Rekeying | None = None  # our addition

    def encode(self) -> bytes:
        """version(1) | AD block | RK | 9 optional keys | Ns | Nr | PN | skipped chains | from version 2: rekeying."""
        parts = [
            wire.u8(1 if self.rekeying is None else STATE_VERSION),
            wire.block(self.associated_data),
            self.root_key,
        ]
        keys = (
            self.own_private,
            self.own_public,
            self.their_public,
            self.sending_chain,
            self.receiving_chain,
            self.sending_header,
            self.receiving_header,
            self.next_sending_header,
            self.next_receiving_header,
        )
        parts += [b"\x00" if key is None else b"\x01" + key for key in keys]
        parts += [wire.u64(self.sent), wire.u64(self.received), wire.u64(self.previous_sent)]
        chains = list(self.skipped.items())
        parts.append(wire.u32(len(chains)))
        for chain, kept in chains:
            parts += [chain, wire.u32(len(kept))]
            for number, key in kept.items():
                parts += [wire.u32(number), key]
        if self.rekeying is not None:
            parts.append(self.rekeying.encode())
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes, parameters: RatchetParameters) -> "RatchetState":
        """The inverse of ``encode``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(data, "ratchet state")
        rekeys = reader.state_version(STATE_VERSION) > 1
        if rekeys != (parameters.rekey_interval is not None):
            raise DecodeError("ratchet state: written with other parameters")
        associated_data = reader.block(MAX_ASSOCIATED_DATA)
        root_key = reader.take(KEY_LENGTH)
        keys = [reader.take(KEY_LENGTH) if reader.flag() else None for _ in range(9)]
        sent, received, previous_sent = (reader.integer(8) for _ in range(3))
        skipped = SkippedKeys(parameters.chain_limit, parameters.total_limit)
        for _ in range(reader.count(parameters.total_limit)):
            chain = reader.take(KEY_LENGTH)
            count = reader.count(parameters.chain_limit)
            if count == 0:
                raise DecodeError("ratchet state: a skipped chain without keys")
            skipped.add(chain, [(reader.integer(4), reader.take(KEY_LENGTH)) for _ in range(count)])
        rekeying = Rekeying.read(reader) if rekeys else None
        reader.finish()
        own_private, own_public, their_public, sending, receiving, hks, hkr, nhks, nhkr = keys
        if max(sent, received, previous_sent) > MAX_NUMBER + 1:
            raise DecodeError("ratchet state: a chain of impossible length")
        if sending is not None and own_public is None:
            raise DecodeError("ratchet state: a sending chain without its key")
        if parameters.message_format.hides_header != (nhkr is not None):
            raise DecodeError("ratchet state: written with another treatment of headers")
        return cls(
            associated_data,
            root_key,
            skipped,
            own_private,
            own_public,
            their_public,
            sending,
            receiving,
            sent,
            received,
            min(previous_sent, MAX_CHAIN),  # older versions sent one more than a header can say
            hks,
            hkr,
            nhks,
            nhkr,
            rekeying,
        )
