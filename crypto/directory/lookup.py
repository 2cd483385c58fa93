"""What the directory answers to "which keys has this account?", and how a client checks that they are the newest."""

from dataclasses import dataclass

from crypto import wire
from crypto.directory import vrf
from crypto.directory.account_keys import OPENING_LENGTH, AccountKeys
from crypto.directory.epoch import Epoch
from crypto.directory.errors import DirectoryStale, KeysRewritten
from crypto.directory.map_proof import INDEX_LENGTH, MapProof
from crypto.errors import DecodeError
from crypto.transparency import LogAuditor, ProofInvalid, SignedTreeHead
from crypto.transparency.hashing import HASH_LENGTH

MAX_HISTORY = 1_000

_VERSION = 1
_MAX_PROOF = 64
_MAX_KEYS = 4_096


def _hashes(reader: wire.Reader) -> tuple[bytes, ...]:
    return tuple(reader.take(HASH_LENGTH) for _ in range(reader.count(_MAX_PROOF)))


def _encode_hashes(hashes: tuple[bytes, ...]) -> bytes:
    return wire.u32(len(hashes)) + b"".join(hashes)


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """One answer. ``keys`` and ``opening`` are None for an account that the directory does not know.

    ``consistency``: from the head that the client has to ``head``. ``history``: the versions between the one that the
    client has seen and ``keys``, both excluded, the oldest first.
    """

    head: SignedTreeHead
    consistency: tuple[bytes, ...]
    epoch: Epoch
    inclusion: tuple[bytes, ...]
    vrf_proof: bytes
    map_proof: MapProof
    keys: AccountKeys | None
    opening: bytes | None
    history: tuple[AccountKeys, ...] = ()

    def __post_init__(self) -> None:
        wire.require_length("a VRF proof", self.vrf_proof, vrf.PROOF_LENGTH)
        if (self.keys is None) != (self.opening is None):
            raise DecodeError("lookup answer: keys without an opening, or the reverse")
        if self.opening is not None:
            wire.require_length("an opening", self.opening, OPENING_LENGTH)

    def encode(self) -> bytes:
        """version(1) | head(114) | consistency | epoch(50) | inclusion | VRF proof(80) | map proof
        | flag [opening(32) | keys block] | count(4), key blocks.
        """
        parts = [
            wire.u8(_VERSION),
            self.head.encode(),
            _encode_hashes(self.consistency),
            self.epoch.encode(),
            _encode_hashes(self.inclusion),
            self.vrf_proof,
            self.map_proof.encode(),
        ]
        if self.keys is None or self.opening is None:
            parts.append(b"\x00")
        else:
            parts += [b"\x01", self.opening, wire.block(self.keys.encode())]
        parts += [wire.u32(len(self.history)), *(wire.block(keys.encode()) for keys in self.history)]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> "LookupAnswer":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "lookup answer")
        reader.format_version(_VERSION)
        head = SignedTreeHead.decode(reader.take(SignedTreeHead.LENGTH))
        consistency, epoch, inclusion = _hashes(reader), Epoch.read(reader), _hashes(reader)
        vrf_proof, map_proof = reader.take(vrf.PROOF_LENGTH), MapProof.read(reader)
        opening = keys = None
        if reader.flag():
            opening, keys = reader.take(OPENING_LENGTH), AccountKeys.decode(reader.block(_MAX_KEYS))
        history = tuple(AccountKeys.decode(reader.block(_MAX_KEYS)) for _ in range(reader.count(MAX_HISTORY)))
        reader.finish()
        return cls(head, consistency, epoch, inclusion, vrf_proof, map_proof, keys, opening, history)


@dataclass(frozen=True, slots=True)
class SeenKeys:
    """What a contact remembers of an account. ``digest``: 32 bytes, of version ``number``."""

    number: int
    digest: bytes

    def __post_init__(self) -> None:
        wire.require_length("a digest", self.digest, 32)

    def encode(self) -> bytes:
        """number(8) | digest(32)."""
        return wire.u64(self.number) + self.digest

    @classmethod
    def decode(cls, data: bytes) -> "SeenKeys":
        """The inverse of ``encode``; raises ``DecodeError``."""
        reader = wire.Reader(data, "seen keys")
        seen = cls(reader.integer(8), reader.take(32))
        reader.finish()
        return seen


@dataclass(frozen=True, slots=True)
class DirectoryKeys:
    """Pinned in the client. ``log``: Ed25519, ``vrf``: of the VRF; 32 bytes each."""

    log: bytes
    vrf: bytes


def check_lookup(
    directory: DirectoryKeys,
    auditor: LogAuditor,
    user: str,
    answer: LookupAnswer,
    seen: SeenKeys | None,
    *,
    now: int,
    max_age: int,
) -> AccountKeys | None:
    """The newest keys of ``user``, or None if there are none; ``auditor`` has moved to the answer's head.

    ``now``, ``max_age``: milliseconds. ``seen``: what this client remembers, to be replaced by the result. Raises
    ``ProofInvalid``, ``DirectoryStale`` or ``KeysRewritten``, and changes nothing then.
    """
    answer.head.verify(directory.log)
    moved = LogAuditor.restore(auditor.serialize(), directory.log)
    moved.advance(answer.head, answer.consistency)
    answer.epoch.verify_newest(answer.head, answer.inclusion)
    if abs(now - answer.epoch.timestamp) > max_age:
        raise DirectoryStale("the newest epoch is too old, or from the future")
    index = vrf.verify(directory.vrf, user.encode(), answer.vrf_proof)[:INDEX_LENGTH]
    keys = answer.keys
    if keys is None or answer.opening is None:
        answer.map_proof.verify(answer.epoch.root, index, None)
    else:
        if keys.user != user:
            raise ProofInvalid("the keys belong to another account")
        answer.map_proof.verify(answer.epoch.root, index, keys.commitment(answer.opening))
    if seen is not None:
        _check_history(seen, answer.history, keys)
    auditor.advance(answer.head, answer.consistency)
    return keys


def _check_history(seen: SeenKeys, history: tuple[AccountKeys, ...], keys: AccountKeys | None) -> None:
    """Raise ``KeysRewritten`` unless ``keys`` are what was seen, or follow it version by version."""
    if keys is None:
        raise KeysRewritten("the account has disappeared")
    if (keys.number, keys.digest) == (seen.number, seen.digest):
        return
    number, digest = seen.number, seen.digest
    for version in (*history, keys):
        if version.user != keys.user or not version.follows(number, digest):
            raise KeysRewritten("the versions shown do not follow the one that was seen")
        number, digest = version.number, version.digest
