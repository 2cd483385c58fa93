"""Pre-shared keys (RFC 9420 section 8.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from crypto.errors import DecodeError
from crypto.mls.cipher_suite import SuiteCrypto
from crypto.mls.codec import Reader, opaque, u8, u16, u64
from crypto.mls.errors import MissingPsk


class ResumptionUsage(IntEnum):
    """What a resumption PSK is good for."""

    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


@dataclass(frozen=True, slots=True)
class ExternalPskId:
    """A PSK that the application provides under ``psk_id``; the nonce is fresh for each injection (Nh bytes)."""

    psk_id: bytes
    nonce: bytes

    def encode(self) -> bytes:
        return u8(1) + opaque(self.psk_id) + opaque(self.nonce)

    @property
    def key(self) -> tuple[object, ...]:
        """What it refers to, without the nonce."""
        return ("external", self.psk_id)


@dataclass(frozen=True, slots=True)
class ResumptionPskId:
    """The resumption PSK of an epoch of some group; the nonce is fresh for each injection (Nh bytes)."""

    usage: ResumptionUsage
    group_id: bytes
    epoch: int
    nonce: bytes

    def encode(self) -> bytes:
        return u8(2) + u8(self.usage) + opaque(self.group_id) + u64(self.epoch) + opaque(self.nonce)

    @property
    def key(self) -> tuple[object, ...]:
        """What it refers to, without the nonce."""
        return ("resumption", self.usage, self.group_id, self.epoch)


PskId = ExternalPskId | ResumptionPskId


def decode_psk_id(reader: Reader) -> PskId:
    """PreSharedKeyID."""
    match reader.u8():
        case 1:
            return ExternalPskId(reader.opaque(), reader.opaque())
        case 2:
            usage = reader.u8()
            if usage not in tuple(ResumptionUsage):
                raise DecodeError("invalid resumption PSK usage")
            return ResumptionPskId(ResumptionUsage(usage), reader.opaque(), reader.u64(), reader.opaque())
        case _:
            raise DecodeError("invalid PSK type")


@dataclass(frozen=True, slots=True)
class Psks:
    """The secrets an application has at hand: external ones by id, resumption ones by (group id, epoch).

    Those of a group's own recent epochs need not be given; the group remembers them.
    """

    external: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    resumption: Mapping[tuple[bytes, int], bytes] = field(default_factory=dict, repr=False)

    def find(self, psk_id: PskId) -> bytes | None:
        if isinstance(psk_id, ExternalPskId):
            return self.external.get(psk_id.psk_id)
        return self.resumption.get((psk_id.group_id, psk_id.epoch))

    def with_resumption(self, secrets: Mapping[tuple[bytes, int], bytes]) -> "Psks":
        """These, and ``secrets`` where they say nothing."""
        return Psks(self.external, {**secrets, **self.resumption})


def psk_secret(crypto: SuiteCrypto, ids: Sequence[PskId], psks: Psks) -> bytes:
    """``psk_secret`` over the PSKs in this order; MissingPsk if one is not at hand."""
    secret = crypto.zero
    for index, psk_id in enumerate(ids):
        psk = psks.find(psk_id)
        if psk is None:
            raise MissingPsk("a pre-shared key that the message refers to is not available")
        label = psk_id.encode() + u16(index) + u16(len(ids))
        extracted = crypto.extract(crypto.zero, psk)
        secret = crypto.extract(crypto.expand_with_label(extracted, "derived psk", label, crypto.hash_size), secret)
    return secret
