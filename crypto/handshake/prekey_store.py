"""A device's private prekeys: generation, rotation, single use and forgetting (X3DH §3.1, §4.2, §4.6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from crypto import curve25519, wire
from crypto.handshake import kem
from crypto.handshake.errors import ReplayedHandshake, UnknownPreKey
from crypto.handshake.initial_header import InitialHeader
from crypto.handshake.prekeys import KemPreKey, OneTimePreKey, PublishedPreKeys, SignedPreKey
from crypto.identity import IdentityKeyPair
from crypto.identity.xeddsa import SIGNATURE_LENGTH
from crypto.randomness import Randomness

STATE_VERSION = 1
_MAX_GENERATIONS = 1_000
_MAX_ONE_TIME = 10_000
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Generation:
    """A signed prekey, the last-resort KEM key made with it, and the one-key handshakes answered with them."""

    id: int
    created: int
    private: bytes = field(repr=False)
    signature: bytes
    kem_seed: bytes = field(repr=False)
    kem_signature: bytes
    answered: dict[bytes, None] = field(default_factory=dict)  # ephemeral keys, the oldest first


@dataclass(frozen=True, slots=True)
class PrivatePreKeys:
    """The private keys an initial header asks for. ``kem_seed`` is set if the header names a KEM key."""

    signed: bytes = field(repr=False)
    one_time: bytes | None = field(repr=False)
    kem_seed: bytes | None = field(repr=False)


class PreKeyStore:
    """Private prekeys of one identity. Times are seconds since the epoch and come from the caller.

    A new store is empty: ``rotate`` makes the first signed prekey, ``replenish`` the one-time keys.
    """

    __slots__ = ("_generations", "_identity", "_next_id", "_one_time", "_one_time_kem")

    def __init__(self, identity: IdentityKeyPair) -> None:
        self._identity = identity
        self._next_id = 1
        self._generations: list[_Generation] = []  # the newest last
        self._one_time: dict[int, bytes] = {}
        self._one_time_kem: dict[int, tuple[bytes, bytes]] = {}  # seed, signature

    def __repr__(self) -> str:
        return (
            f"PreKeyStore(signed={len(self._generations)}, one_time={len(self._one_time)}, "
            f"one_time_kem={len(self._one_time_kem)})"
        )

    def _new_id(self) -> int:
        number, self._next_id = self._next_id, self._next_id + 1
        return number

    def _sign_kem(self, seed: bytes, randomness: Randomness) -> bytes:
        return self._identity.sign(kem.encode_public(kem.public_key(seed)), randomness)

    def rotate(self, now: int, randomness: Randomness) -> None:
        """Make a new signed prekey and last-resort KEM key. Earlier ones still answer until ``expire``.

        At most 1,000 are kept, for callers that never expire any.
        """
        private = randomness.random_bytes(curve25519.KEY_LENGTH)
        seed = randomness.random_bytes(kem.SEED_LENGTH)
        public = curve25519.encode_public(curve25519.public_key(private))
        signature = self._identity.sign(public, randomness)
        self._generations.append(
            _Generation(self._new_id(), now, private, signature, seed, self._sign_kem(seed, randomness))
        )
        del self._generations[:-_MAX_GENERATIONS]

    def rotation_due(self, now: int, period: int) -> bool:
        """Whether the newest signed prekey is missing or at least ``period`` seconds old."""
        return not self._generations or now - self._generations[-1].created >= period

    def expire(self, now: int, keep_for: int) -> None:
        """Delete signed prekeys that were replaced more than ``keep_for`` seconds ago.

        ``keep_for`` covers the longest time that an initial message may lie in a mailbox.
        """
        replaced_at = [later.created for later in self._generations[1:]] + [now]
        self._generations = [
            generation
            for generation, replaced in zip(self._generations, replaced_at, strict=True)
            if now - replaced <= keep_for
        ]

    def replenish(self, count: int, randomness: Randomness) -> tuple[list[OneTimePreKey], list[KemPreKey]]:
        """Make ``count`` one-time keys of each kind and return their public halves, for the upload.

        At most 10,000 unused ones of each kind are kept; the oldest go first.
        """
        one_time: list[OneTimePreKey] = []
        one_time_kem: list[KemPreKey] = []
        for _ in range(count):
            number, private = self._new_id(), randomness.random_bytes(curve25519.KEY_LENGTH)
            self._one_time[number] = private
            one_time.append(OneTimePreKey(number, curve25519.public_key(private)))
            number, seed = self._new_id(), randomness.random_bytes(kem.SEED_LENGTH)
            signature = self._sign_kem(seed, randomness)
            self._one_time_kem[number] = seed, signature
            one_time_kem.append(KemPreKey(number, kem.public_key(seed), signature, last_resort=False))
        for kept in (self._one_time, self._one_time_kem):
            for number in list(kept)[: max(len(kept) - _MAX_ONE_TIME, 0)]:
                del kept[number]
        return one_time, one_time_kem

    def publish(
        self, one_time: Iterable[OneTimePreKey] = (), one_time_kem: Iterable[KemPreKey] = ()
    ) -> PublishedPreKeys:
        """The upload: the newest signed prekey, its last resort and the given one-time keys.

        Raises ``UnknownPreKey`` before the first ``rotate``.
        """
        if not self._generations:
            raise UnknownPreKey("there is no signed prekey yet")
        newest = self._generations[-1]
        return PublishedPreKeys(
            self._identity.public,
            SignedPreKey(newest.id, curve25519.public_key(newest.private), newest.signature),
            KemPreKey(newest.id, kem.public_key(newest.kem_seed), newest.kem_signature, last_resort=True),
            tuple(one_time),
            tuple(one_time_kem),
        )

    def find(self, header: InitialHeader) -> PrivatePreKeys:
        """The private keys that ``header`` names. Raises ``UnknownPreKey`` or ``ReplayedHandshake``."""
        signed = self._generation(header.signed_id)
        if header.ephemeral in signed.answered:
            raise ReplayedHandshake("this initial message was answered before")
        one_time = None
        if header.one_time_id is not None:
            one_time = self._one_time.get(header.one_time_id)
            if one_time is None:
                raise UnknownPreKey("the one-time prekey is used up")
        seed = None
        if header.kem_id is not None:
            found = self._one_time_kem.get(header.kem_id)
            seed = self._generation(header.kem_id).kem_seed if found is None else found[0]
        return PrivatePreKeys(signed.private, one_time, seed)

    def consume(self, header: InitialHeader) -> None:
        """Delete the one-time keys of ``header``, once its first message has been decrypted.

        If it named none, remember its ephemeral key instead, until its signed prekey expires; the last 10,000.
        """
        self._one_time.pop(header.one_time_id or 0, None)
        was_one_time = self._one_time_kem.pop(header.kem_id or 0, None) is not None
        if header.one_time_id is None and not was_one_time:
            answered = self._generation(header.signed_id).answered
            answered[header.ephemeral] = None
            if len(answered) > _MAX_REMEMBERED:
                del answered[next(iter(answered))]

    def _generation(self, number: int) -> _Generation:
        for generation in self._generations:
            if generation.id == number:
                return generation
        raise UnknownPreKey("the signed prekey is unknown or expired")

    def serialize(self) -> bytes:
        """The versioned state with all private prekeys, but not the identity: encrypt it at rest."""
        parts = [wire.u8(STATE_VERSION), wire.u32(self._next_id), wire.u32(len(self._generations))]
        for generation in self._generations:
            parts += [
                wire.u32(generation.id),
                wire.u64(generation.created),
                generation.private,
                generation.signature,
                generation.kem_seed,
                generation.kem_signature,
                wire.u32(len(generation.answered)),
                *generation.answered,
            ]
        parts.append(wire.u32(len(self._one_time)))
        for number, private in self._one_time.items():
            parts += [wire.u32(number), private]
        parts.append(wire.u32(len(self._one_time_kem)))
        for number, (seed, signature) in self._one_time_kem.items():
            parts += [wire.u32(number), seed, signature]
        return b"".join(parts)

    @classmethod
    def restore(cls, state: bytes, identity: IdentityKeyPair) -> "PreKeyStore":
        """The inverse of ``serialize``; raises ``DecodeError`` or ``UnsupportedStateVersion``."""
        reader = wire.Reader(state, "prekey store")
        reader.state_version(STATE_VERSION)
        store = cls(identity)
        store._next_id = reader.integer(4)
        for _ in range(reader.count(_MAX_GENERATIONS)):
            store._generations.append(
                _Generation(
                    reader.integer(4),
                    reader.integer(8),
                    reader.take(curve25519.KEY_LENGTH),
                    reader.take(SIGNATURE_LENGTH),
                    reader.take(kem.SEED_LENGTH),
                    reader.take(SIGNATURE_LENGTH),
                    {reader.take(curve25519.KEY_LENGTH): None for _ in range(reader.count(_MAX_REMEMBERED))},
                )
            )
        for _ in range(reader.count(_MAX_ONE_TIME)):
            number = reader.integer(4)
            store._one_time[number] = reader.take(curve25519.KEY_LENGTH)
        for _ in range(reader.count(_MAX_ONE_TIME)):
            number = reader.integer(4)
            store._one_time_kem[number] = reader.take(kem.SEED_LENGTH), reader.take(SIGNATURE_LENGTH)
        reader.finish()
        return store
